# /// check
# verdict = ["passed"]
# tests = ["assert f(200_000) == list(range(200_000))"]
# ///
def f(n):
    return list(range(n))
