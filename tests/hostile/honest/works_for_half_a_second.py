# /// check
# verdict = ["passed"]
# ///
import time


def f(x):
    end = time.process_time() + 0.25
    while time.process_time() < end:
        pass
    return x * x
