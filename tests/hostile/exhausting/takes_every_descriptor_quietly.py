# /// check
# verdict = ["assertion", "exception"]
# ///
import os

held = []
try:
    while True:
        held += os.pipe()
except OSError:
    pass


def f(x):
    return 0
