# /// check
# verdict = ["protocol", "memory", "cpu"]
# limits = {cpu_s = 2.0, memory_bytes = 134217728}
# ///
import os
import stat


def send(body):
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                rest = len(body).to_bytes(4, "little") + body
                while rest:
                    rest = rest[os.write(fd, rest) :]
        except OSError:
            pass

send(b'ready\n{"f": ["value", "x"], "g": [' + b"[]," * 7_000_000 + b"1]}")
