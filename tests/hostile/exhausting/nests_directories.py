# /// check
# verdict = ["exception", "cpu"]
# limits = {cpu_s = 0.3}
# ///
import os


def f(x):
    while True:
        os.mkdir("d")
        os.chdir("d")
