# /// check
# verdict = ["signal"]
# reason = "SIGABRT"
# ///
import os


def f(x):
    os.abort()
