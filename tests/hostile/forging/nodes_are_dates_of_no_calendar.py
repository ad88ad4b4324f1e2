# /// check
# verdict = ["protocol"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[["delta", 1e308, 1, 1], []]""")
    return 4
