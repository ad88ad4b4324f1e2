# /// check
# verdict = ["not-plain"]
# ///
import math


def f(x):
    return math
