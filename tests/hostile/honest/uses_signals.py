# /// check
# verdict = ["passed"]
# ///
import signal

caught = []


def f(x):
    signal.signal(signal.SIGUSR1, lambda *_: caught.append(x))
    signal.raise_signal(signal.SIGUSR1)
    return caught[-1] * x
