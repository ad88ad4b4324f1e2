# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($secret_path) == $secret"]
# ///
import os


def f(path):
    os.symlink(path, "link")
    return open("link").read()
