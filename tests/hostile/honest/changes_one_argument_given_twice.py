# /// check
# verdict = ["passed"]
# tests = ["a = [1]\nassert f(a, a) == [1, 2, 3] and a == [1, 2, 3]"]
# ///
def f(a, b):
    a.append(2)
    b.append(3)
    return a
