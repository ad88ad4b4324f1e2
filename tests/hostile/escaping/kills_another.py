# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($victim)"]
# ///
import os
import signal


def f(pid):
    os.kill(pid, signal.SIGKILL)
    return True
