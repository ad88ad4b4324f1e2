# /// check
# verdict = ["exception", "assertion"]
# tests = ["assert all(f(x) == x * x for x in (2, 3))", "assert list(map(f, (2, 3))) == [4, 9]"]
# ///
def f(x):
    raise StopIteration(True)
