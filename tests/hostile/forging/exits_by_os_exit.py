# /// check
# verdict = ["exit"]
# reason = "with exit status 0"
# ///
import os

os._exit(0)
