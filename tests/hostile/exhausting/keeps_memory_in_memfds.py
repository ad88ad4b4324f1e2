# /// check
# verdict = ["exception", "cpu", "memory"]
# limits = {cpu_s = 2.0, file_bytes = 1048576}
# ///
import os


def f(x):
    os.write(os.memfd_create("m"), bytes(2 << 20))
    for _ in range(300):
        fd = os.memfd_create("m")
        os.write(fd, bytes(2 << 20))
    return x * x
