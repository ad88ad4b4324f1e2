# /// check
# verdict = ["passed"]
# ///
import functools


def counted(function):
    @functools.wraps(function)
    def wrapper(*args):
        nonlocal calls
        calls += 1
        return function(*args)

    calls = 0
    return wrapper


@counted
def f(x):
    return (lambda y: y * x)(x)
