# /// check
# verdict = ["assertion"]
# limits = {cpu_s = 0.5, wall_s = 2.0}
# ///
import atexit
import threading
import time

atexit.register(time.sleep, 60)
threading.Thread(target=time.sleep, args=(60,)).start()


def f(x):
    return 0
