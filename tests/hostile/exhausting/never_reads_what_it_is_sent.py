# /// check
# verdict = ["wall"]
# limits = {cpu_s = 0.5, wall_s = 0.7}
# tests = ["assert f('x' * 10_000_000) == 4"]
# ///
import time

time.sleep(60)
