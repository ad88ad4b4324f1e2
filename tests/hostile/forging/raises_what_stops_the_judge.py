# /// check
# verdict = ["exit", "exception", "protocol"]
# sends = true
# ///
def f(x):
    send(b"""raised 1
{"kind": "raised"}
[["l", "SystemExit", 0], []]""")
    return 4
