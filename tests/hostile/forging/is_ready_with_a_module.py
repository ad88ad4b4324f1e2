# /// check
# verdict = ["not-plain"]
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


send(b"""ready
{"f": ["module", "os"]}""")
