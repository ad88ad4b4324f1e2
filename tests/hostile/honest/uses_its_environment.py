# /// check
# verdict = ["passed"]
# ///
import os

os.environ["NUMBER"] = "2"


def f(x):
    assert os.environ.get("MISSING") is None and os.path.expanduser("~")
    assert os.access(os.getcwd(), os.W_OK)
    return x ** int(os.environ["NUMBER"])
