# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($victim) == 4"]
# ///
import fcntl
import os
import time


def f(pid):
    own, other = os.pipe()
    fcntl.fcntl(own, fcntl.F_SETOWN, pid)
    fcntl.fcntl(own, 10, 9)  # F_SETSIG
    fcntl.fcntl(own, fcntl.F_SETFL, os.O_ASYNC)
    os.write(other, b"x")
    time.sleep(0.02)
    return 0
