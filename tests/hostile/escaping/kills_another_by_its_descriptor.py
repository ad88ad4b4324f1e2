# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($victim)"]
# ///
import os
import signal


def f(pid):
    signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGKILL)
    return True
