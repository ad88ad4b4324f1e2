# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f()"]
# ///
import os


def f():
    found = []
    for path in ("/dev/vda", "/dev/sda", "/dev/mem", "/dev/kmsg", "/dev/tty", "/dev/ptmx",
                 "/dev/fuse", "/dev/kvm", "/dev/net/tun", "/dev/nvidia0", "/dev/shm/x"):  # fmt: skip
        try:
            found.append(os.open(path, os.O_RDWR))
        except OSError:
            pass
    return found
