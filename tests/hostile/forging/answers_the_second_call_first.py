# /// check
# verdict = ["protocol"]
# reason = "it answered call 1 with 'result 2'"
# ///
import os
import stat


def f(x):
    body = b"result 2\n[9,[]]"
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                os.write(fd, len(body).to_bytes(4, "little") + body)
        except OSError:
            pass
    return 4
