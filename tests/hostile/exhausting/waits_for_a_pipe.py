# /// check
# verdict = ["wall"]
# limits = {cpu_s = 0.5, wall_s = 0.5}
# ///
import os


def f(x):
    own, other = os.pipe()
    os.read(own, 1)
