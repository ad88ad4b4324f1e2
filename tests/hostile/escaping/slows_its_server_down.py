# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f() == 4"]
# ///
import os


def f():
    os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)
    return 0
