# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f()"]
# ///
import fcntl
import socket
import struct


def f():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        # SIOCSIFFLAGS: bring the loopback device up
        fcntl.ioctl(asking, 0x8914, struct.pack("16sh22x", b"lo", 1))
    return True
