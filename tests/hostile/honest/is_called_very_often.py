# /// check
# verdict = ["passed"]
# tests = ["assert all(f(k) == k * k for k in range(2000))"]
# ///
def f(x):
    return x * x
