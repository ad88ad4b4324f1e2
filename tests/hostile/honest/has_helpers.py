# /// check
# verdict = ["passed"]
# tests = ["assert f(3) == 14", "assert square(3) == 9"]
# ///
def square(x):
    return x * x


def total(items):
    return sum(map(square, items))


def f(n):
    return total(range(n + 1))
