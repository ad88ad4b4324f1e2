# /// check
# verdict = ["assertion", "protocol", "exception"]
# tests = ["assert f(2) == 4", "assert int(f(2)) == 4"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[["D", "1E+999999999999999999"], []]""")
    return 4
