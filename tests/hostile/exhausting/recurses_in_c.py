# /// check
# verdict = ["signal", "exception"]
# limits = {cpu_s = 2.0}
# ///
import sys

sys.setrecursionlimit(10**9)


def f(x):
    return f(x) + 1


class Deep:
    def __getattr__(self, name):
        return getattr(self, name + "x"[:0])


def f(x):  # noqa: F811
    return Deep().a
