# /// check
# verdict = ["not-plain"]
# ///
def f(x):
    return f
