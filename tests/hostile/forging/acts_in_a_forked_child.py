# /// check
# verdict = ["assertion", "protocol"]
# ///
import os

if os.fork() == 0:
    body = b"result 1\n[0,[]]"
    for fd in range(3, 16):
        try:
            os.write(fd, len(body).to_bytes(4, "little") + body)
        except OSError:
            pass
    os._exit(0)


def f(x):
    return 0
