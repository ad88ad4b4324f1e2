# /// check
# verdict = ["signal"]
# reason = "SIGALRM"
# ///
import signal
import time


def f(x):
    signal.alarm(1)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    time.sleep(5)
    return x * x
