# /// check
# verdict = ["passed"]
# tests = ["a = []\nfor _ in range(100):\n    a = [a]\nassert f(a) == a"]
# ///
def f(x):
    return x
