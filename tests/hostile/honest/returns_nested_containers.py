# /// check
# verdict = ["passed"]
# tests = ["assert f(3) == {'a': [1, (2, {3: None})], (1, 'x'): {True: [[]]}, None: [3]}"]
# ///
def f(x):
    return {"a": [1, (2, {3: None})], (1, "x"): {True: [[]]}, None: [x]}
