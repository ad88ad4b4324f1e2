# /// check
# verdict = ["protocol", "exit"]
# limits = {cpu_s = 1.0}
# ///
import os
import stat

for fd in range(3, 64):
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            while True:
                os.write(fd, b"\4\0\0\0abcd" * 1000)
    except OSError:
        pass
