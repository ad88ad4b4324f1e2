# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($secret_path) == $secret"]
# ///
import os


def f(path):
    for above in ("self/root", "1/root", f"{os.getppid()}/root", "self/cwd/../.."):
        try:
            return open(f"/proc/{above}{path}").read()
        except OSError as error:
            last = error
    raise last
