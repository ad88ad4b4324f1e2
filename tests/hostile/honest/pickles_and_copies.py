# /// check
# verdict = ["passed"]
# ///
import copy
import pickle
from dataclasses import dataclass


@dataclass
class Point:
    x: int


def f(x):
    return pickle.loads(pickle.dumps(copy.deepcopy(Point(x * x)))).x
