# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f() == 4"]
# ///
import os


def f():
    for number in range(1, 65):
        try:
            os.kill(os.getppid(), number)
        except OSError:
            continue
    return 0
