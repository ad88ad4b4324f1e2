# /// check
# verdict = ["exit"]
# reason = "with exit status 0"
# together = true
# ///
import os

os._exit(0)
