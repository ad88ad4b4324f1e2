# /// check
# verdict = ["passed"]
# ///
import sys

print("\ud800", "\0", file=sys.stderr)


def f(x):
    print("\x1b[31m\u202e")
    return x * x
