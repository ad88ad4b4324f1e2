# /// check
# verdict = ["not-plain", "memory"]
# limits = {cpu_s = 3.0}
# ///
def f(x):
    return "x" * (65 << 20)
