# /// check
# verdict = ["assertion", "exception"]
# runs = 2
# tests = ["assert f()"]
# ///
import os


def f():
    found = "planted" in os.listdir("/dev/shm")
    with open("/dev/shm/planted", "w") as file:
        file.write("x")
    return found
