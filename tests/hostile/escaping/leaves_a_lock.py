# /// check
# verdict = ["assertion", "exception"]
# runs = 2
# tests = ["assert f($stdlib)"]
# ///
import fcntl
import os
import time


def f(stdlib):
    fd = os.open(f"{stdlib}/this.py", os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
    return False
