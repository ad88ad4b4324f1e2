# /// check
# verdict = ["exit"]
# reason = "with exit status 0"
# together = true
# ///
import os


def f(x):
    os._exit(0)
