# /// check
# verdict = ["cpu"]
# limits = {cpu_s = 0.3}
# ///
import itertools


def f(x):
    return 5 in itertools.repeat(4)
