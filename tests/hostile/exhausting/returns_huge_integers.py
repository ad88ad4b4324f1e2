# /// check
# verdict = ["assertion", "memory", "cpu", "protocol"]
# limits = {cpu_s = 2.0}
# ///
def f(x):
    return [1 << 50_000_000] * 3
