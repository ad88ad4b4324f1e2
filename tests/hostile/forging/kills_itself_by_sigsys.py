# /// check
# verdict = ["forbidden", "signal"]
# ///
import os
import signal

os.kill(os.getpid(), signal.SIGSYS)
