# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($owned_path)"]
# ///
import os


def f(path):
    os.chmod(path, 0)
    return True
