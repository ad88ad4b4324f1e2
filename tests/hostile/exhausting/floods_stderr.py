# /// check
# verdict = ["flood"]
# limits = {output_bytes = 1048576}
# ///
import os

while True:
    os.write(2, bytes(65536))
