# /// check
# verdict = ["exception", "protocol", "memory"]
# limits = {cpu_s = 2.0}
# ///
def f(x):
    raise ValueError("x" * (70 << 20))
