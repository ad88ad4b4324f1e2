# /// check
# verdict = ["not-plain", "exception"]
# limits = {cpu_s = 3.0}
# ///
import numpy


class Array(numpy.ndarray):
    def __eq__(self, other):
        return True

    def item(self):
        return 4


def f(x):
    return numpy.zeros(1).view(Array)
