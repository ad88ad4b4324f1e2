# /// check
# verdict = ["passed"]
# tests = ["for k in (2**31, 2**53, 2**63, 2**64):\n    for n in (k - 1, k, k + 1, -k, 1 - k):\n        assert f(n) == n and type(f([n])[0]) is int"]
# ///
def f(x):
    return x
