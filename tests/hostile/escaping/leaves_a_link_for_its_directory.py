# /// check
# verdict = ["assertion", "exception"]
# runs = 2
# tests = ["assert f($root)"]
# ///
import os


def f(root):
    ours = os.getcwd()
    os.rename(ours, f"{os.path.dirname(ours)}/elsewhere")
    os.symlink(root, ours)
    return True
