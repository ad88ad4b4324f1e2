# /// check
# verdict = ["cpu", "memory", "exit", "signal"]
# limits = {cpu_s = 0.4, memory_bytes = 268435456}
# ///
def f(x):
    held = []
    while True:
        try:
            while True:
                held.append(bytes(1 << 20))
        except MemoryError:
            held.append(None)
