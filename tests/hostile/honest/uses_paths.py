# /// check
# verdict = ["passed"]
# ///
from pathlib import Path


def f(x):
    path = Path("deep") / "er"
    path.mkdir(parents=True, exist_ok=True)
    (path / "x.txt").write_text("é" * x, "utf-8")
    return len((path / "x.txt").read_text("utf-8")) * len(list(Path.cwd().rglob("*.txt"))) * x
