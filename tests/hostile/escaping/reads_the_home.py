# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($home_secret_path) == $secret"]
# ///
import os


def f(path):
    try:
        return open(os.path.expanduser("~/.token")).read()
    except OSError:
        return open(path).read()
