# /// check
# verdict = ["cpu", "wall", "exit", "exception", "signal"]
# limits = {cpu_s = 0.5, wall_s = 0.6, processes = 64}
# alone = true
# ///
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
