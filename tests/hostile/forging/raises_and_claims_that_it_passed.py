# /// check
# verdict = ["exception", "protocol"]
# sends = true
# ///
def f(x):
    send(b"""raised 1
{"kind": "passed", "where": "test", "left": "4", "right": "4", "operator": "=="}
[["l", "ValueError", "x"], []]""")
    return 4
