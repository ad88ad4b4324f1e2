# /// check
# verdict = ["cpu"]
# limits = {cpu_s = 0.3}
# ///
def f(x):
    return sorted(iter(int, 1))
