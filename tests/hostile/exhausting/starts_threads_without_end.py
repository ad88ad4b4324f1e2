# /// check
# verdict = ["exception", "cpu", "wall"]
# limits = {cpu_s = 0.5, wall_s = 1.0}
# alone = true
# ///
import threading
import time

while True:
    threading.Thread(target=time.sleep, args=(60,)).start()
