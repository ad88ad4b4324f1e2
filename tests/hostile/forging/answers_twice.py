# /// check
# verdict = ["assertion", "protocol"]
# ///
import os
import stat


def f(x):
    for body in (b"result %d\n[4,[]]" % (x - 1), b"result %d\n[4,[]]" % x):
        for fd in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.write(fd, len(body).to_bytes(4, "little") + body)
            except OSError:
                pass
    return 0
