# /// check
# verdict = ["passed"]
# tests = ["assert f(3) == range(3)", "assert list(reversed(f(3))) == [2, 1, 0]"]
# ///
def f(n):
    return range(n)
