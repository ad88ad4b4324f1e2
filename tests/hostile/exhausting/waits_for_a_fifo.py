# /// check
# verdict = ["wall"]
# limits = {cpu_s = 0.5, wall_s = 0.5}
# ///
import os


def f(x):
    os.mkfifo("fifo")
    return open("fifo").read()
