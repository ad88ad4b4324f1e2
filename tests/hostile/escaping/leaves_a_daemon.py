# /// check
# verdict = ["assertion", "exception"]
# settle_s = 0.3
# tests = ["assert f($root) == 4"]
# ///
import ctypes
import os
import time


def f(root):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(15, b"planted")
            os.closerange(0, 64)
            time.sleep(0.2)
            for path in (root, "/tmp", "/dev/shm", "."):
                try:
                    os.mkdir(f"{path}/planted")
                except OSError:
                    pass
            time.sleep(600)
        os._exit(0)
    os.wait()
    return 0
