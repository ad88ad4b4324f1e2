# /// check
# verdict = ["protocol"]
# ///
import os
import stat


def f(x):
    body = b"result 1\n" + b'["l",' * 100_000 + b"4" + b"]" * 100_000
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                sent = memoryview(len(body).to_bytes(4, "little") + body)
                while sent:
                    sent = sent[os.write(fd, sent) :]
        except OSError:
            pass
    return 4
