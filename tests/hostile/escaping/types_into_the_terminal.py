# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f()"]
# ///
import fcntl


def f():
    for fd in (0, 1, 2):
        try:
            fcntl.ioctl(fd, 0x5412, b"x")  # TIOCSTI
            return True
        except OSError as error:
            last = error
    raise last
