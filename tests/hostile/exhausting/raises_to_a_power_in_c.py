# /// check
# verdict = ["cpu", "memory"]
# limits = {cpu_s = 0.3}
# ///
def f(x):
    return 10 ** 10**8
