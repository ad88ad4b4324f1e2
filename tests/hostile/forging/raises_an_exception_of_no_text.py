# /// check
# verdict = ["exception", "exit"]
# ///
class Silent(BaseException):
    def __str__(self):
        raise self

    __repr__ = __str__

    @property
    def args(self):
        raise self


def f(x):
    raise Silent
