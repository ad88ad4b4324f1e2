# /// check
# verdict = ["cpu", "memory", "exception", "protocol", "not-plain"]
# limits = {cpu_s = 0.5, memory_bytes = 268435456}
# tests = ["assert sum(f(2)) == 4"]
# ///
def f(x):
    while True:
        x *= x
        yield x
