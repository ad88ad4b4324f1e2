# /// check
# verdict = ["passed"]
# tests = ["assert f(1) == f(1) and f(1) != f(2)"]
# ///
import random


def f(seed):
    random.seed(seed)
    return [random.random() for _ in range(3)]
