# /// check
# verdict = ["protocol"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[4, [], "passed"]""")
    return 4
