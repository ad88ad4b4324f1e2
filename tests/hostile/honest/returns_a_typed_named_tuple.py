# /// check
# verdict = ["passed"]
# tests = ["p = f(1)\nassert (p.x, p.y) == (1, 7) and len(p) == 2"]
# ///
from typing import NamedTuple


class Point(NamedTuple):
    x: int
    y: int = 7


def f(x):
    return Point(x)
