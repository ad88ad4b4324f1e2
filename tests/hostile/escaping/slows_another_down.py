# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($victim)"]
# ///
import os


def f(pid):
    os.setpriority(os.PRIO_PROCESS, pid, 19)
    return True
