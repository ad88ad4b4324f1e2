# /// check
# verdict = ["passed"]
# setup = "import math"
# tests = ["assert math.isnan(f(0)[0])", "assert f(0)[0] != f(0)[0]"]
# ///
def f(x):
    return [float("nan")]
