# /// check
# verdict = ["exit"]
# together = true
# ///
import sys


def f(x):
    sys.exit(0)
