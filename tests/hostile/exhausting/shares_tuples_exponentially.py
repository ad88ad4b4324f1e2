# /// check
# verdict = ["cpu", "memory", "not-plain"]
# limits = {cpu_s = 0.5, memory_bytes = 268435456}
# ///
def f(x):
    row = ()
    for _ in range(60):
        row = (row, row)
    return row
