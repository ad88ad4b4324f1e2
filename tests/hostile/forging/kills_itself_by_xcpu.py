# /// check
# verdict = ["cpu", "signal"]
# ///
import os
import signal

signal.signal(signal.SIGXCPU, signal.SIG_DFL)
os.kill(os.getpid(), signal.SIGXCPU)
