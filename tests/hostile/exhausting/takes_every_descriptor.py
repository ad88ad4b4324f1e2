# /// check
# verdict = ["exception"]
# reason = "Too many open files"
# ///
import os


def f(x):
    while True:
        os.open("/dev/null", os.O_RDONLY)
