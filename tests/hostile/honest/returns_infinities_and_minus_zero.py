# /// check
# verdict = ["passed"]
# setup = "import math"
# tests = ["assert f() == (math.inf, -math.inf, 0)", "assert math.copysign(1, f()[2]) == -1"]
# ///
def f():
    return float("inf"), -float("inf"), -0.0
