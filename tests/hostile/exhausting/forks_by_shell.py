# /// check
# verdict = ["cpu", "wall", "exit", "exception", "flood", "assertion"]
# limits = {cpu_s = 0.5, wall_s = 0.6, processes = 64}
# alone = true
# ///
import os


def f(x):
    return os.system("b() { b | b & b; }; b 2>/dev/null")
