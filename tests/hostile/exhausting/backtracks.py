# /// check
# verdict = ["cpu"]
# limits = {cpu_s = 0.3}
# ///
import re


def f(x):
    return re.match(r"(a+)+$", "a" * 40 + "b")
