# /// check
# verdict = ["assertion", "exception"]
# runs = 2
# tests = ["assert f()"]
# ///
import os
import sys


def f():
    sys.path.insert(0, os.getcwd())
    try:
        import planted  # noqa: F401
    except ImportError:
        with open("planted.py", "w") as file:
            file.write("x = 1")
        return False
    return True
