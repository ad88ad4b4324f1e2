# /// check
# verdict = ["memory"]
# limits = {memory_bytes = 268435456}
# ///
def f(x):
    return bytes(10**12)
