# /// check
# verdict = ["protocol"]
# reason = "4294967295 bytes"
# ///
import os
import stat


def f(x):
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                os.write(fd, b"\xff\xff\xff\xff" + b"x" * 1000)
        except OSError:
            pass
    return 4
