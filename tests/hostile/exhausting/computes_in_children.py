# /// check
# verdict = ["cpu"]
# limits = {cpu_s = 0.1, wall_s = 1.0}
# ///
import os
import time


def f(x):
    for _ in range(2):
        if os.fork() == 0:
            while True:
                pass
    time.sleep(60)
