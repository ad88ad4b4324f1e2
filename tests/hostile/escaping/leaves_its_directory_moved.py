# /// check
# verdict = ["assertion", "exception"]
# runs = 2
# tests = ["assert f()"]
# ///
import os


def f():
    ours = os.getcwd()
    os.rename(ours, f"{os.path.dirname(ours)}/elsewhere")
    os.mkdir(ours)
    return True
