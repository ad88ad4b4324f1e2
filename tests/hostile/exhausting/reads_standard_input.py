# /// check
# verdict = ["exception"]
# reason = "EOFError"
# ///
def f(x):
    return input()
