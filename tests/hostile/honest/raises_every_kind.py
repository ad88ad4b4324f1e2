# /// check
# verdict = ["passed"]
# tests = ["for name in ('TypeError', 'KeyError', 'ZeroDivisionError', 'OSError', 'StopIteration', 'UnicodeDecodeError', 'RecursionError', 'AssertionError', 'NotImplementedError'):\n    try:\n        f(name)\n    except Exception as error:\n        assert type(error).__name__ == name, error\n    else:\n        assert False"]
# ///
import builtins


def f(name):
    if name == "UnicodeDecodeError":
        b"\xff".decode()
    if name == "RecursionError":
        f(name)
    if name == "ZeroDivisionError":
        1 // 0
    raise getattr(builtins, name)("x")
