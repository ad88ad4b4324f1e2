# /// check
# verdict = ["assertion", "protocol"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[["l", ["r", 0], ["s", ["t", ["r", 0]]]], []]""")
    return 4
