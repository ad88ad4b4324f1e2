# /// check
# verdict = ["passed"]
# tests = ["assert f(2) == 2", "assert [0, 1, 5][f(2)] == 5"]
# ///
import enum


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


def f(x):
    return Size(x)
