# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f() == $secret"]
# ///
import os


def f():
    return os.environ["ANCHORGATE_SECRET"]
