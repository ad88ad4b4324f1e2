# /// check
# verdict = ["assertion", "exception"]
# runs = 2
# tests = ["assert f()"]
# ///
import os


def f():
    there = os.path.exists("left") or os.path.exists("/tmp/left")
    open("left", "w").close()
    return there
