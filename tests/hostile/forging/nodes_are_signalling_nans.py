# /// check
# verdict = ["exception", "assertion", "protocol"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[["D", "sNaN"], []]""")
    return 4
