# /// check
# verdict = ["assertion", "protocol"]
# tests = ["a = [1]\nassert f(a) == 4 and a == [1]"]
# sends = true
# ///
def f(x):
    send(b"""result 1
[4, [[-1, ["l", 4]]]]""")
    return 4
