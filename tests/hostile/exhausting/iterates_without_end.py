# /// check
# verdict = ["exception", "cpu"]
# limits = {cpu_s = 0.5}
# tests = ["assert sum(f(2)) == 4"]
# ///
import itertools


def f(x):
    return itertools.count()
