# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f() == 4"]
# ///
import os
import resource


def f():
    resource.prlimit(os.getppid(), resource.RLIMIT_STACK, (1 << 20, 1 << 20))
    return 0
