# /// check
# verdict = ["exception", "assertion"]
# ///
class Fine(AssertionError):
    def __bool__(self):
        return True


def f(x):
    raise Fine
