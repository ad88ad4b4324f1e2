# /// check
# verdict = ["forbidden", "exception"]
# tests = ["assert f()"]
# ///
import time


def f():
    time.clock_settime(time.CLOCK_REALTIME, time.time())
    return True
