# /// check
# verdict = ["flood", "assertion"]
# limits = {output_bytes = 1048576}
# ///
import atexit
import os


@atexit.register
def flood():
    while True:
        os.write(1, bytes(65536))


def f(x):
    return 0
