# /// check
# verdict = ["exception"]
# reason = "PermissionError"
# ///
import os


def f(x):
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    return x * x
