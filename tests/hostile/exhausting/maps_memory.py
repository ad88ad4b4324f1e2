# /// check
# verdict = ["exception", "memory"]
# limits = {memory_bytes = 268435456}
# ///
import mmap


def f(x):
    return len([mmap.mmap(-1, 64 << 20) for _ in range(100)])
