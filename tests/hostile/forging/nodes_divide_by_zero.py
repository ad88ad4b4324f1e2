# /// check
# verdict = ["protocol"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[["F", 4, 0], []]""")
    return 4
