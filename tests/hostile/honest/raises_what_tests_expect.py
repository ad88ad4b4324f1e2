# /// check
# verdict = ["passed"]
# tests = ["try:\n    f(-1)\nexcept ValueError as error:\n    assert error.args == ('negative', -1)\nelse:\n    assert False"]
# ///
def f(x):
    if x < 0:
        raise ValueError("negative", x)
    return x
