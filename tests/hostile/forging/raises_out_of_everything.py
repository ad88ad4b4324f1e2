# /// check
# verdict = ["exception"]
# reason = "KeyboardInterrupt"
# ///
def f(x):
    raise KeyboardInterrupt("passed")
