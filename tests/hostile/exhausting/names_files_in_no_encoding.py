# /// check
# verdict = ["assertion"]
# ///
import os


def f(x):
    for k in range(1, 256):
        if k != 47:
            name = bytes([k]) * (k % 250 + 1)
            if name not in (b".", b".."):
                with open(name, "wb"):
                    pass
    os.symlink("/", "root")
    os.symlink("loop", "loop")
    os.mkfifo("fifo")
    return 0
