# /// check
# verdict = ["protocol", "exception"]
# reason = ""
# sends = true
# ///
def f(x):
    send(b"""result 1
[["n", "A", ["fi", "\\ufb01"], 4, 4], []]""")
    return 4
