# /// check
# verdict = ["wall", "protocol"]
# limits = {cpu_s = 0.5, wall_s = 0.5}
# ///
import os
import stat


def f(x):
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                os.read(fd, 1)
        except OSError:
            pass
