# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f() == 4"]
# ///
import os


def f():
    os.sched_setaffinity(os.getppid(), {0})
    return 0
