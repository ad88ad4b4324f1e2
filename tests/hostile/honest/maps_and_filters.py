# /// check
# verdict = ["passed"]
# tests = ["assert list(f([1, 2, 3])) == [4, 6]"]
# ///
def f(items):
    return map(lambda x: x * 2, filter(lambda x: x > 1, items))
