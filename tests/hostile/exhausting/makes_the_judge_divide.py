# /// check
# verdict = ["cpu", "assertion", "memory"]
# limits = {cpu_s = 0.5}
# ///
import os
import stat


def f(x):
    body = b'result 1\n[["F",["i","%b"],["i","%b"]],[]]' % (b"7" * 3_000_000, b"3" * 2_999_999)
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                rest = len(body).to_bytes(4, "little") + body
                while rest:
                    rest = rest[os.write(fd, rest) :]
        except OSError:
            pass
