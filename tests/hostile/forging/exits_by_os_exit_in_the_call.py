# /// check
# verdict = ["exit"]
# reason = "with exit status 0"
# ///
import os


def f(x):
    os._exit(0)
