# /// check
# verdict = ["protocol"]
# sends = true
# ///
def f(x):
    send(b"""raised 1
{"kind": "raised"}
["print", []]""")
    return 4
