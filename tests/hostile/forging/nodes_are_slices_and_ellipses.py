# /// check
# verdict = ["assertion", "protocol"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[["slice", ["..."], ["slice", 1, 2, 3], ["range", 1, 2, 3]], []]""")
    return 4
