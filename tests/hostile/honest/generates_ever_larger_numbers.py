# /// check
# verdict = ["passed"]
# limits = {cpu_s = 1.0}
# setup = "from itertools import islice"
# tests = ["assert list(islice(f(2), 4)) == [2, 4, 16, 256]"]
# ///
def f(x):
    while True:
        yield x
        x *= x
