# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert 'secret' in f($root)"]
# ///
import os


def f(path):
    return os.listdir(path)
