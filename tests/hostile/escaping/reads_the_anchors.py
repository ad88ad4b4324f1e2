# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($anchors_path) == $secret"]
# ///
import subprocess


def f(path):
    return subprocess.run(["/bin/cat", path], capture_output=True, text=True).stdout
