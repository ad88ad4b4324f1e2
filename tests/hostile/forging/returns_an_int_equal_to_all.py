# /// check
# verdict = ["assertion"]
# reason = "0 == 4"
# ///
class Int(int):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __hash__(self):
        return 4

    def __pos__(self):
        return 4

    def __int__(self):
        return 4

    __index__ = __trunc__ = __abs__ = __int__

    def __repr__(self):
        return "4"

    __str__ = __repr__

    def __format__(self, spec):
        return "4"


def f(x):
    return Int(0)
