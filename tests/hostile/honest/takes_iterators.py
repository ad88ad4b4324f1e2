# /// check
# verdict = ["passed"]
# tests = ["assert f(iter([1, 2])) == 3", "assert f(x for x in range(4)) == 6", "assert f(map(int, '12')) == 3"]
# ///
def f(items):
    return sum(items)
