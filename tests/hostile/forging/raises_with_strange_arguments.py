# /// check
# verdict = ["protocol", "exception"]
# sends = true
# ///
def f(x):
    send(b"""raised 1
{"kind": "raised"}
[["l", "UnicodeEncodeError", "utf-8", "x", ["i", "fffffffffffffffffffffffff"], 1, "r"], []]""")
    return 4
