# /// check
# verdict = ["passed"]
# tests = ["assert f(5_000_000) == 'é' * 5_000_000"]
# ///
def f(n):
    return "é" * n
