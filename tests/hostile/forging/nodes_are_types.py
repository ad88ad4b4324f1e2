# /// check
# verdict = ["assertion"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[["type", "int"], []]""")
    return 4
