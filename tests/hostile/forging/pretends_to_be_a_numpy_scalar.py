# /// check
# verdict = ["not-plain", "assertion"]
# ///
class generic:  # noqa: N801
    pass


class Scalar(generic):
    __module__ = "numpy"

    def item(self):
        return type("Four", (int,), {"__eq__": lambda a, b: True})(5)


def f(x):
    return Scalar()
