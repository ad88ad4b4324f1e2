# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f()"]
# ///
import os
import stat


def f():
    for kind, major, minor in ((stat.S_IFCHR, 1, 1), (stat.S_IFBLK, 254, 0), (stat.S_IFBLK, 8, 0)):
        os.mknod("device", kind | 0o666, os.makedev(major, minor))
        os.open("device", os.O_RDONLY)
    return True
