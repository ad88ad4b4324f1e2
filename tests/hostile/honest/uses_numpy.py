# /// check
# verdict = ["passed"]
# limits = {cpu_s = 5.0}
# tests = ["assert abs(f([3.0, 4.0]) - 5) < 1e-9"]
# ///
import numpy as np


def f(items):
    return float(np.linalg.norm(np.array(items)))
