# /// check
# verdict = ["assertion", "exception"]
# runs = 2
# tests = ["assert f()"]
# ///
import os
import socket
import time


def f():
    asking = socket.socket(socket.AF_UNIX)
    try:
        asking.connect("\0left")
        return True
    except OSError:
        pass
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            listening = socket.socket(socket.AF_UNIX)
            listening.bind("\0left")
            listening.listen()
            time.sleep(600)
        os._exit(0)
    os.wait()
    time.sleep(0.05)
    return False
