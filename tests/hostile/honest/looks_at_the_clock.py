# /// check
# verdict = ["passed"]
# ///
import datetime
import time


def f(x):
    began = time.perf_counter()
    time.sleep(0.01)
    assert 0.005 < time.perf_counter() - began < 5
    assert datetime.datetime.now().year > 2000
    return x * x
