# /// check
# verdict = ["passed"]
# tests = ["assert f(5000) == 7**5000", "assert f(1) == 7", "assert -f(100) == -(7**100)"]
# ///
def f(n):
    return 7**n
