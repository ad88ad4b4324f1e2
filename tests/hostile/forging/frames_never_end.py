# /// check
# verdict = ["wall", "exit", "protocol"]
# limits = {cpu_s = 0.5, wall_s = 0.6}
# ///
import os
import stat
import time

for fd in range(3, 64):
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            os.write(fd, b"\xff\xff\xff\x03" + b"ready")
    except OSError:
        pass
time.sleep(60)
