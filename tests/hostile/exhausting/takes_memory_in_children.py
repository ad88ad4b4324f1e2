# /// check
# verdict = ["wall", "cpu"]
# limits = {cpu_s = 1.0, wall_s = 0.8, memory_bytes = 134217728}
# ///
import os
import time

for _ in range(6):
    if os.fork() == 0:
        try:
            held = [bytearray(b"x") * (1 << 20) for _ in range(1000)]
        except MemoryError:
            pass
        time.sleep(60)
time.sleep(60)
