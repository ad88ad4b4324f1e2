# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f()"]
# ///
import os
import subprocess


def f():
    for name in ("su", "sudo", "passwd", "mount", "pkexec", "newgrp"):
        for folder in ("/bin", "/usr/bin"):
            if os.path.exists(f"{folder}/{name}"):
                done = subprocess.run(
                    [f"{folder}/{name}", "-c", "id -u"],
                    stdin=subprocess.DEVNULL, capture_output=True, text=True,
                )
                if done.stdout.strip() == "0":
                    return True
    return False
