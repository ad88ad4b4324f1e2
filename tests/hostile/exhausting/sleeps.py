# /// check
# verdict = ["wall"]
# reason = "not done after 0.5 s"
# limits = {cpu_s = 0.5, wall_s = 0.5}
# ///
import time


def f(x):
    time.sleep(60)
