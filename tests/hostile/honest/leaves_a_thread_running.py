# /// check
# verdict = ["passed"]
# ///
import threading
import time

threading.Thread(target=time.sleep, args=(60,)).start()


def f(x):
    return x * x
