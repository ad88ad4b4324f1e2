# /// check
# verdict = ["cpu"]
# limits = {cpu_s = 0.3, wall_s = 3.0}
# ///
import threading
import time


def burn():
    while True:
        pass


for _ in range(4):
    threading.Thread(target=burn, daemon=True).start()


def f(x):
    time.sleep(60)
