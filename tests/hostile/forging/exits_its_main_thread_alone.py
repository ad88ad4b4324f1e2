# /// check
# verdict = ["wall", "exit", "signal"]
# limits = {cpu_s = 0.5, wall_s = 0.6}
# ///
import ctypes
import threading
import time


def f(x):
    threading.Thread(target=time.sleep, args=(60,)).start()
    ctypes.CDLL(None).syscall(60, 0)  # exit, of one thread
