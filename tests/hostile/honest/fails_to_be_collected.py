# /// check
# verdict = ["passed"]
# ///
class Last:
    def __del__(self):
        raise ValueError


def f(x):
    Last()
    return x * x
