# /// check
# verdict = ["assertion", "not-plain", "exception"]
# ///
class Meta(type):
    def __call__(cls, *args):
        return cls

    def __instancecheck__(cls, other):
        return True


class f(metaclass=Meta):  # noqa: N801
    __eq__ = classmethod(lambda cls, other: True)
