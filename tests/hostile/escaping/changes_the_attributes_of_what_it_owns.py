# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($owned_path)"]
# ///
import os


def f(path):
    os.setxattr(path, "user.planted", b"x")
    return True
