# /// check
# verdict = ["exit"]
# reason = "SystemExit: 0"
# ///
import sys

sys.exit(0)
