# /// check
# verdict = ["protocol"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[["i", "0x_zz"], []]""")
    return 4
