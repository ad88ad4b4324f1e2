# /// check
# verdict = ["exit", "protocol"]
# ///
import os


def f(x):
    os.closerange(0, 256)
    return x * x
