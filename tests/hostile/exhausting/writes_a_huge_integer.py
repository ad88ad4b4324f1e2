# /// check
# verdict = ["cpu"]
# limits = {cpu_s = 0.3}
# ///
import sys

sys.set_int_max_str_digits(0)


def f(x):
    return str(1 << 10_000_000)
