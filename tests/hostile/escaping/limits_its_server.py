# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f() == 4"]
# ///
import os
import resource


def f():
    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (3, 3))
    return 0
