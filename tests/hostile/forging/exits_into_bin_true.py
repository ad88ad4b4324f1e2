# /// check
# verdict = ["exit"]
# reason = "with exit status 0"
# ///
import os


def f(x):
    os.execv("/bin/true", ["true"])
