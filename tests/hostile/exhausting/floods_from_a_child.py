# /// check
# verdict = ["flood"]
# limits = {output_bytes = 1048576}
# ///
import os
import time

if os.fork() == 0:
    os.setsid()
    while True:
        os.write(1, bytes(65536))
time.sleep(60)
