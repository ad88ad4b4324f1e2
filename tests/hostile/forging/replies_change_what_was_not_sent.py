# /// check
# verdict = ["protocol"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[4, [[7, ["l", 1]]]]""")
    return 4
