# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($victim)"]
# ///
import os


def f(pid):
    os.sched_setaffinity(pid, {0})
    os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))
    return True
