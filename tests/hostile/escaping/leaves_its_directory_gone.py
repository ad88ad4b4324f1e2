# /// check
# verdict = ["assertion", "exception"]
# runs = 2
# tests = ["assert f()"]
# ///
import os


def f():
    ours = os.getcwd()
    os.chdir("/")
    os.rmdir(ours)
    return True
