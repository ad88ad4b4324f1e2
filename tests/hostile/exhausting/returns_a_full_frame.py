# /// check
# verdict = ["assertion", "memory", "cpu"]
# limits = {cpu_s = 3.0}
# ///
def f(x):
    return "x" * (50 << 20)
