# /// check
# verdict = ["passed"]
# tests = ["assert f(1, y=2) == (1, 2, (), {})", "assert f(1, 2, 3, z=4) == (1, 2, (3,), {'z': 4})", "assert f(*[1], **{'y': 5})[1] == 5"]
# ///
def f(x, y=0, *args, **kwargs):
    return x, y, args, kwargs
