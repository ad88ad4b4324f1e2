# /// check
# verdict = ["wall", "exit", "protocol"]
# limits = {cpu_s = 0.5, wall_s = 0.6}
# ///
import os


def f(x):
    for fd in range(3, 64):
        try:
            os.dup2(1, fd)
        except OSError:
            pass
    return x * x
