# /// check
# verdict = ["exit"]
# settle_s = 0.1
# limits = {cpu_s = 1.0, wall_s = 2.0}
# alone = true
# ///
import os
import time

if os.fork() == 0:
    end = time.monotonic() + 60
    while time.monotonic() < end:  # each moment another process, none with a parent for long
        try:
            if os.fork():
                os._exit(0)
        except OSError:
            pass
time.sleep(0.05)
os._exit(0)
