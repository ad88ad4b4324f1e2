# /// check
# verdict = ["passed"]
# setup = "import datetime as d"
# tests = ["assert f(d.date(2020, 2, 28)) == d.date(2020, 2, 29)", "now = d.datetime(2020, 1, 1, 12, tzinfo=d.timezone.utc)\nassert f(now) == now + d.timedelta(days=1)", "assert f(now).tzinfo is not None"]
# ///
from datetime import timedelta


def f(day):
    return day + timedelta(days=1)
