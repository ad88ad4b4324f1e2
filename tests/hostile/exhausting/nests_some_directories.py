# /// check
# verdict = ["assertion"]
# ///
import os


def f(x):
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    return 0
