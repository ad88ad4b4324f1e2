# /// check
# verdict = ["passed"]
# tests = ["assert f(3) is int", "assert f('') is str and f(None) is type(None)"]
# ///
f = type
