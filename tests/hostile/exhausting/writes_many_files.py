# /// check
# verdict = ["exception", "cpu"]
# limits = {cpu_s = 0.2}
# ///
import os


def f(x):
    k = 0
    while True:
        os.close(os.open(f"f{k}", os.O_CREAT))
        k += 1
