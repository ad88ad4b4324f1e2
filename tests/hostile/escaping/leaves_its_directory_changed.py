# /// check
# verdict = ["assertion", "exception"]
# runs = 2
# tests = ["assert f()"]
# ///
import os


def f():
    changed = os.stat(".").st_mode & 0o777 in (0, 0o111)
    os.chmod(".", 0o111)
    return changed
