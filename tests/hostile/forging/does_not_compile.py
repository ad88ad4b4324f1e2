# /// check
# verdict = ["syntax"]
# ///
def f(x):
    return x *
