# /// check
# verdict = ["exit"]
# reason = "with exit status 0"
# ///
import ctypes

libc = ctypes.CDLL(None)


def f(x):
    libc.exit(0)
