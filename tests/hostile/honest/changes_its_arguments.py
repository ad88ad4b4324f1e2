# /// check
# verdict = ["passed"]
# tests = ["a = [3, 1, 2]\nassert f(a) is None and a == [1, 2, 3]"]
# ///
def f(items):
    items.sort()
