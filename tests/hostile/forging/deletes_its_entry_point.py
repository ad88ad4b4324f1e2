# /// check
# verdict = ["exception"]
# reason = "NameError"
# ///
def f(x):
    del globals()["f"]
    return 4
