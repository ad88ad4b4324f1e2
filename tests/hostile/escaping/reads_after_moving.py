# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($owned_path) == $secret"]
# ///
import os


def f(path):
    os.rename(path, "moved")
    return open("moved").read()
