# /// check
# verdict = ["assertion"]
# ///
def f(x):
    global f
    f = lambda x: 4  # noqa: E731
    return 4
