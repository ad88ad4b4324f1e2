# /// check
# verdict = ["cpu"]
# limits = {cpu_s = 0.3}
# ///
def f(x):
    return sum(range(10**12))
