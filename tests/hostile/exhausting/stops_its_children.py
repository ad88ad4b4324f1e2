# /// check
# verdict = ["wall"]
# limits = {cpu_s = 0.5, wall_s = 0.7}
# ///
import os
import signal
import time

for _ in range(8):
    if os.fork() == 0:
        os.setsid()
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(60)
