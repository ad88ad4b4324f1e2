# /// check
# verdict = ["memory", "protocol", "cpu"]
# limits = {cpu_s = 2.0, memory_bytes = 134217728}
# ///
def f(x):
    return [[k] for k in range(700_000)]
