# /// check
# verdict = ["assertion", "exception"]
# runs = 2
# tests = ["assert f()"]
# ///
import ctypes

libc = ctypes.CDLL(None)


def f():
    found = libc.mq_open(b"/left", 0) >= 0 or libc.msgget(0x5EC, 0o666) >= 0
    libc.mq_open(b"/left", 0o102, 0o666, None)
    libc.msgget(0x5EC, 0o1666)
    libc.semget(0x5EC, 1, 0o1666)
    return found
