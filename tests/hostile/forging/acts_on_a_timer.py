# /// check
# verdict = ["exit", "assertion", "protocol"]
# ///
import os
import signal


def forge(*_):
    body = b'broken\n{"kind": "exit"}'
    for fd in range(3, 16):
        try:
            os.write(fd, len(body).to_bytes(4, "little") + body)
        except OSError:
            pass


signal.signal(signal.SIGALRM, forge)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)


def f(x):
    for _ in range(10_000):
        pass
    return 0
