# /// check
# verdict = ["exception", "cpu"]
# limits = {cpu_s = 0.5, wall_s = 2.0, processes = 64}
# alone = true
# ///
import os

while True:
    if os.fork() == 0:
        os._exit(0)
