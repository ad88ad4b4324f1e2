"""Every command of the README runs, in the order in which a reader meets it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.shared import DATA, shared_data

ROOT = Path(__file__).parent.parent.parent
BLOCKS = re.compile(r"^(<!-- ci: \w+ -->\n)?```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(*, with_data: bool) -> list[str]:
    """Return the README's shell blocks that CI does not run itself."""
    blocks = BLOCKS.findall((ROOT / "README.md").read_text("utf-8"))
    return [text for ci, text in blocks if not ci and ("../shared/data" in text) == with_data]


def scratch(tmp_path: Path) -> Path:
    """Return a copy of the project as a clone would have it, with the data beside it."""
    project = tmp_path / "project"
    for name in ("pyproject.toml", "conftest.py", "anchors", "packs", "tests/gate"):
        source, target = ROOT / name, project / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    if DATA.is_dir():
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared" / "data").symlink_to(DATA.resolve())
    return project


def run(block: str, project: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_command_runs(tmp_path: Path) -> None:
    project = scratch(tmp_path)
    outputs = [run(block, project) for block in commands(with_data=False)]
    gate, again, pack, row, test, record, walls, own, promoted = outputs
    assert gate.count("ACCEPTED") == 2
    assert "the model was not loaded" in gate
    assert "PARTIAL" in again
    assert "lost" in pack
    for narrowed in (row, test):
        assert "1 passed" in narrowed
        assert "PARTIAL" in narrowed
    assert "77 of 77 tasks solved, 77 of them again with the same answer" in record
    asked, recorded = (project / "anchors" / f"{name}.jsonl" for name in ("demo", "recorded"))
    assert recorded.read_bytes() == asked.read_bytes()
    assert "sandbox    namespaces" in walls
    assert "certificate written to packs/certificates/demo-v1.json" in own
    assert "packs/certificates/demo-v1.json: holds" in own
    assert re.findall(r"VERIFY: (\d+/\d+) anchors.*in production: (\S+)\.planck", promoted) == [
        ("78/78", "my-model"), ("78/78", "demo-v1"),
    ]  # fmt: skip


def test_every_command_with_public_data_runs(tmp_path: Path) -> None:
    shared_data()
    project = scratch(tmp_path)
    outputs = [run(block, project) for block in commands(with_data=True)]
    assert len(outputs) == 2
    assert "72 passed" in outputs[0]
    assert re.search(r"humaneval +\d+ +\d+ +\d+ +0 ", outputs[1])
