# /// check
# verdict = ["passed"]
# ///
from functools import partial
from operator import mul


def f(x):
    return partial(mul, x)(x)
