# /// check
# verdict = ["passed"]
# tests = ["g = f()\nassert next(g) == 1\ntry:\n    next(g)\nexcept ValueError as error:\n    assert str(error) == 'no more'\nelse:\n    assert False"]
# ///
def f():
    yield 1
    raise ValueError("no more")
