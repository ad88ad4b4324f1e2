# /// check
# verdict = ["protocol"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[["r", 99999], []]""")
    return 4
