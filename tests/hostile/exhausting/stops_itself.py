# /// check
# verdict = ["wall"]
# limits = {cpu_s = 0.5, wall_s = 0.5}
# ///
import os
import signal


def f(x):
    os.kill(os.getpid(), signal.SIGSTOP)
