# /// check
# verdict = ["missing"]
# ///
def g(x):
    return x * x
