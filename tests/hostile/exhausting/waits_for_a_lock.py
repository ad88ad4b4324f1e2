# /// check
# verdict = ["wall"]
# limits = {cpu_s = 0.5, wall_s = 0.5}
# ///
import threading

lock = threading.Lock()
lock.acquire()


def f(x):
    lock.acquire()
