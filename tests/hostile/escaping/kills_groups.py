# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($victim, $pytest) == 4"]
# ///
import os
import signal


def f(*pids):
    for pid in (*pids, os.getppid()):
        try:
            os.killpg(pid, signal.SIGKILL)
        except OSError:
            pass
    return 0
