# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f() == 4"]
# ///
import os


def f():
    os.setpriority(os.PRIO_USER, os.getuid(), 19)
    return 0
