# /// check
# verdict = ["passed"]
# tests = ["try:\n    f(-1)\nexcept ValueError as error:\n    assert 'negative' in str(error)\nelse:\n    assert False"]
# ///
class Negative(ValueError):
    """A number is negative."""


def f(x):
    raise Negative(f"{x} is negative")
