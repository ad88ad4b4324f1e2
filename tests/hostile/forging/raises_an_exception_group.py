# /// check
# verdict = ["exception"]
# ///
class Group(BaseExceptionGroup):
    def __str__(self):
        return "4"


def f(x):
    raise Group("many", [SystemExit(0), KeyboardInterrupt()])
