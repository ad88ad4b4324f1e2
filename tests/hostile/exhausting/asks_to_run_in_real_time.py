# /// check
# verdict = ["exception"]
# reason = "PermissionError"
# ///
import os


def f(x):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    return x * x
