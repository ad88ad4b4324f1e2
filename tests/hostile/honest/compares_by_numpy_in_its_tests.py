# /// check
# verdict = ["passed"]
# limits = {cpu_s = 5.0}
# setup = "import numpy as np"
# tests = ["assert np.isclose(f(2), 4)", "assert np.array_equal(f(3) * np.ones(2), [9, 9])"]
# ///
import numpy


def f(x):
    return numpy.square(x)
