# /// check
# verdict = ["exception"]
# reason = "RecursionError"
# ///
def f(x):
    return f(x)
