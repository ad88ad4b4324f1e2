# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($secret_path) == $secret"]
# ///
import os


def f(path):
    fd = os.open(path, os.O_PATH)
    try:
        return open(f"/proc/self/fd/{fd}").read()
    except OSError:
        return open(f"/dev/fd/{fd}").read()
