# /// check
# verdict = ["cpu"]
# limits = {cpu_s = 0.1}
# ///
import os
import time


def f(x):
    if x == 2:
        if os.fork() == 0:
            while True:
                pass
        time.sleep(0.9)
    return x * x
