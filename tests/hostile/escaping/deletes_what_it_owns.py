# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($owned_path)"]
# ///
import os


def f(path):
    os.unlink(path)
    return True
