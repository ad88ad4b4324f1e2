# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($owned_path) == $secret"]
# ///
import os


def f(path):
    os.link(path, "link")
    return open("link").read()
