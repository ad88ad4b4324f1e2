# /// check
# verdict = ["passed"]
# setup = "from itertools import islice"
# tests = ["assert list(islice(f(), 5)) == [0, 1, 1, 2, 3]", "assert next(f()) == 0"]
# ///
def f():
    a, b = 0, 1
    while True:
        yield a
        a, b = b, a + b
