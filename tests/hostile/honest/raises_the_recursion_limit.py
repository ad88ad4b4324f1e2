# /// check
# verdict = ["passed"]
# tests = ["assert f(20_000) == 20_000"]
# ///
import sys

sys.setrecursionlimit(100_000)


def f(n):
    return n and 1 + f(n - 1)
