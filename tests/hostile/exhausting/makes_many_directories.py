# /// check
# verdict = ["exception", "cpu"]
# limits = {cpu_s = 0.15}
# ///
import os


def f(x):
    k = 0
    while True:
        os.mkdir(f"d{k}", 0)
        k += 1
