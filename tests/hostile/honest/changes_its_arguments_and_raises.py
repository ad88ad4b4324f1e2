# /// check
# verdict = ["passed"]
# tests = ["a = [1]\ntry:\n    f(a)\nexcept KeyError:\n    assert a == []\nelse:\n    assert False"]
# ///
def f(items):
    items.clear()
    raise KeyError("gone")
