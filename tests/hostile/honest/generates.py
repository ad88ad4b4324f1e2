# /// check
# verdict = ["passed"]
# tests = ["g = f(3)\nassert next(g) == 0 and list(g) == [1, 2]", "assert sum(f(4)) == 6", "assert list(zip(f(2), 'ab')) == [(0, 'a'), (1, 'b')]"]
# ///
def f(n):
    yield from range(n)
