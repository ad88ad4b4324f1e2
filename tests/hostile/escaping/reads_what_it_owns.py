# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($owned_path) == $secret"]
# ///
import os


def f(path):
    try:
        os.chmod(path, 0o777)
    except OSError:
        pass
    return open(path).read()
