# /// check
# verdict = ["cpu", "exit"]
# limits = {cpu_s = 0.1, wall_s = 1.0}
# ///
import os
import time


def f(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                pass
        os._exit(0)
    os.wait()
    time.sleep(60)
