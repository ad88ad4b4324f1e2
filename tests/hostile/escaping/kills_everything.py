# /// check
# verdict = ["assertion", "exception", "signal"]
# tests = ["assert f($victim) == 4"]
# ///
import os
import signal


def f(pid):
    try:
        os.kill(-1, signal.SIGKILL)
    except OSError:
        pass
    return 0
