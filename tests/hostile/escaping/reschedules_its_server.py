# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f() == 4"]
# ///
import os


def f():
    os.sched_setscheduler(os.getppid(), os.SCHED_BATCH, os.sched_param(0))
    return 0
