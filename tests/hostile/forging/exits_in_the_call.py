# /// check
# verdict = ["exit"]
# reason = "SystemExit"
# ///
import sys


def f(x):
    sys.exit(0)
