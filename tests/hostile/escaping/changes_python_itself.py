# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($stdlib, $numpy)"]
# ///
import os
import py_compile


def f(stdlib, numpy):
    changed = []
    for path in (f"{stdlib}/this.py", f"{numpy}/__init__.py", "/bin/cat"):
        try:
            changed.append(os.open(path, os.O_WRONLY))
        except OSError:
            pass
    for path in (f"{stdlib}/__pycache__/planted.pyc", f"{numpy}/__pycache__/planted.pyc"):
        try:
            with open("planted.py", "w") as source:
                source.write("x = 1")
            changed.append(py_compile.compile("planted.py", path, doraise=True))
        except OSError:
            pass
    return changed
