# /// check
# verdict = ["assertion"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[["n", "A", ["x=__import__('os')._exit(0)", "y"], 4, 4], []]""")
    return 4
