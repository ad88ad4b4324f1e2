# /// check
# verdict = ["protocol", "assertion"]
# sends = true
# ///
def f(x):
    send(b"result 1\n" + "[5, []]".encode("utf-32"))
