# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f() == 0"]
# ///
import os


def f():
    try:
        os.setgroups([0])
    except OSError:
        os.setresuid(0, 0, 0)
    return os.getuid()
