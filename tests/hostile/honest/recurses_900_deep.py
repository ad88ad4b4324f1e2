# /// check
# verdict = ["passed"]
# tests = ["assert f(900) == 900"]
# ///
def f(n):
    return n and 1 + f(n - 1)
