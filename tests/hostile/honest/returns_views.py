# /// check
# verdict = ["passed"]
# tests = ["keys, values, items = f({'a': 1})\nassert list(keys) == ['a'] and sum(values) == 1", "assert ('a', 1) in items", "assert keys == {'a'}"]
# ///
def f(mapping):
    return mapping.keys(), mapping.values(), mapping.items()
