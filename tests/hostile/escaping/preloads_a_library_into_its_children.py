# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($secret_path) == $secret"]
# ///
import os
import subprocess


def f(path):
    environment = {"LD_PRELOAD": os.path.abspath("planted.so"), "PATH": "/bin:/usr/bin"}
    with open("planted.so", "wb") as library:
        library.write(open("/bin/true", "rb").read())
    done = subprocess.run(["cat", path], env=environment, capture_output=True, text=True)
    return done.stdout
