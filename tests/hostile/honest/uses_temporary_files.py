# /// check
# verdict = ["passed"]
# ///
import tempfile


def f(x):
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/x", "w+") as file:
        file.write(str(x * x))
        file.seek(0)
        return int(file.read())
