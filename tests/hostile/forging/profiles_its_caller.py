# /// check
# verdict = ["assertion", "protocol", "exit", "exception", "cpu"]
# ///
import sys


def profile(frame, event, arg):
    if event == "return" and frame.f_code.co_name in ("encode_reply", "_answer"):
        raise SystemExit(0)


def f(x):
    sys.setprofile(profile)
    return 0
