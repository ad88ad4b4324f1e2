# /// check
# verdict = ["memory"]
# reason = "more than 256 MiB"
# limits = {cpu_s = 3.0, memory_bytes = 268435456}
# ///
def f(x):
    held = []
    while True:
        held.append(bytes(100_000))
