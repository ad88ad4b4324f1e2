# /// check
# verdict = ["passed"]
# tests = ["p = f(1, 2)\nassert p.x == 1 and p == (1, 2) and p._replace(x=3).x == 3"]
# ///
from collections import namedtuple

Point = namedtuple("Point", "x y")


def f(x, y):
    return Point(x, y)
