# /// check
# verdict = ["passed"]
# runs = 2
# tiers = ["namespaces", "rlimits"]
# why = "landlock refuses chmod by name"
# ///
import os

os.mkdir("d")
os.mkdir("d/e")
open("d/e/f", "w").close()
os.chmod("d/e", 0)
os.chmod("d", 0)


def f(x):
    return x * x
