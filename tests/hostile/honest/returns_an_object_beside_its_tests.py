# /// check
# verdict = ["passed"]
# together = true
# tests = ["p = f(1, 2)\nassert p.x == 1 and p.y == 2 and p == type(p)(1, 2)"]
# ///
from dataclasses import dataclass


@dataclass
class Point:
    x: int
    y: int


def f(x, y):
    return Point(x, y)
