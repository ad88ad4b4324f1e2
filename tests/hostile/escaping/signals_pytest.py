# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($pytest)"]
# ///
import os
import signal


def f(pid):
    os.kill(pid, signal.SIGURG)
    return True
