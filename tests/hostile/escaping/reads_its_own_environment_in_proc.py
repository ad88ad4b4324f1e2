# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert $secret in f()"]
# ///
import os


def f():
    return "".join(
        open(f"/proc/{pid}/environ", errors="replace").read() for pid in ("self", os.getppid())
    )
