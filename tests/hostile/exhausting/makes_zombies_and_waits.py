# /// check
# verdict = ["wall"]
# limits = {cpu_s = 1.0, wall_s = 0.6}
# alone = true
# ///
import os
import time

for _ in range(60):
    if os.fork() == 0:
        os._exit(0)
time.sleep(60)
