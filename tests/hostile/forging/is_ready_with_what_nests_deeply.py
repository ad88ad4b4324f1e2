# /// check
# verdict = ["protocol"]
# sends = true
# ///
import sys

for depth in (980, 975, 970, 965, 960, 955, 950):
    send(b'ready\n{"f": ' + b"[" * depth + b"1" + b"]" * depth + b"}")
    break
