# /// check
# verdict = ["exit"]
# ///
def f(x):
    exit()
