# /// check
# verdict = ["passed"]
# tests = ["assert f([1, 2, 2]) == {1, 2}", "assert f([1]) | {3} == {1, 3}", "assert f(['a', (1, frozenset({2}))]) == {'a', (1, frozenset({2}))}"]
# ///
def f(items):
    return set(items)
