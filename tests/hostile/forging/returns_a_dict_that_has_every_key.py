# /// check
# verdict = ["exception"]
# reason = "KeyError"
# tests = ['assert f(2)["a"] == 4']
# ///
from collections import Counter, defaultdict


class Every(defaultdict):
    def __missing__(self, key):
        return 4


def f(x):
    return Every(lambda: 4)
