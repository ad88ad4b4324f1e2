# /// check
# verdict = ["exit", "signal", "assertion"]
# runs = 2
# tests = ["assert f()", "assert f() == 1"]
# verdicts = { landlock = ["exception"] }  # which refuses chmod by name
# ///
import os


def f():
    if os.path.exists("a/b/left"):
        return True
    os.makedirs("a/b")
    open("a/b/left", "w").close()
    os.chmod("a", 0)
    os.kill(os.getpid(), 9)
