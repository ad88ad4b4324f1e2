# /// check
# settle_s = 0.1
# verdict = ["exit"]
# ///
import ctypes
import os
import signal
import time

for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        ctypes.CDLL(None).prctl(1, 0)  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
        ctypes.CDLL(None).prctl(15, b"planted")
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        os.closerange(0, 64)
        os.fork()
        time.sleep(600)
os._exit(0)
