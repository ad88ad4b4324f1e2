# /// check
# verdict = ["passed"]
# ///
import os
import tempfile


def f(x):
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write("x" * x)
    return os.path.getsize(file.name) * x
