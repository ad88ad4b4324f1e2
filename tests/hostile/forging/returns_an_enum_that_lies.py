# /// check
# verdict = ["assertion", "not-plain"]
# ///
import enum


class Answer(enum.IntEnum):
    WRONG = 0

    def __eq__(self, other):
        return True

    @property
    def value(self):
        return 4


def f(x):
    return Answer.WRONG
