# /// check
# verdict = ["passed"]
# tests = ["assert f(LIMIT) == LIMIT + 1", "assert NAMES == ['a'] and math.pi > 3"]
# ///
import math  # noqa: F401

LIMIT = 41
NAMES = ["a"]


def f(x):
    return x + 1
