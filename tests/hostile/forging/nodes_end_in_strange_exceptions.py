# /// check
# verdict = ["assertion", "exception", "protocol", "exit"]
# tests = ["assert list(f(2)) == [4]"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[["it", ["SystemExit", "0"], 4], []]""")
    return 4
