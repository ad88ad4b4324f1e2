# /// check
# verdict = ["passed"]
# limits = {cpu_s = 1.0}
# setup = "from itertools import islice"
# tests = ["assert list(islice(f(), 6)) == [2, 3, 5, 7, 11, 13]"]
# ///
def f():
    n = 2
    while True:
        if all(n % k for k in range(2, n)):
            yield n
        n += 1
