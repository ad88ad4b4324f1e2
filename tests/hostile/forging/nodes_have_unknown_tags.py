# /// check
# verdict = ["protocol"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[["object", "__eq__", true], []]""")
    return 4
