# /// check
# verdict = ["exit"]
# together = true
# ///
import sys

sys.exit(0)
