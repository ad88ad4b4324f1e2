"""Checkpoints that can be trusted: a manifest of digests, written last, says that one is whole.

The Trainer writes a checkpoint file by file; a kill in between leaves one that loads and is wrong.
Also says whose a training's directory is.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelerate import PartialState
from transformers import TrainerCallback

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.pack.format import digest_file

if TYPE_CHECKING:
    from transformers import TrainerState, TrainingArguments

IDENTITY, MANIFEST = "surgery.json", "manifest.json"
PATTERN = "checkpoint-*"


def claim(out: Path, identity: list[str]) -> None:
    """Take the directory for the surgery of this identity, or go on with it there.

    :raises UsageError: when it holds anything else.
    """
    mark = out / IDENTITY
    if mark.exists():
        if json.loads(mark.read_bytes()) != identity:
            raise UsageError(f"{out}: holds another surgery. Name another --out.")
    elif out.exists() and any(out.iterdir()):
        raise UsageError(f"{out}: is not empty, and holds no surgery. Name another --out.")
    else:
        write_file(mark, json.dumps(identity).encode(), parents=True)


class Manifests(TrainerCallback):
    """Writes each checkpoint's manifest once all of its files are there."""

    def on_save(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        """Seal the newest checkpoint; the first process does it for all."""
        PartialState().wait_for_everyone()  # each has written its part
        if state.is_world_process_zero:
            seal(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")


def seal(checkpoint: Path) -> None:
    """Write the manifest of a checkpoint, by rename."""
    digests = {path.name: digest_file(path) for path in _files(checkpoint)}
    write_file(checkpoint / MANIFEST, json.dumps(digests, sort_keys=True).encode())


def newest(folder: Path) -> Path | None:
    """Return the newest checkpoint whose manifest verifies, or None; remove those without."""
    whole = []
    for checkpoint in sorted(folder.glob(PATTERN), key=_step, reverse=True):
        if _is_whole(checkpoint):
            whole.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    return whole[0] if whole else None


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _is_whole(checkpoint: Path) -> bool:
    try:
        digests = json.loads((checkpoint / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    found = {path.name: digest_file(path) for path in _files(checkpoint)}
    return bool(found == digests)


def _files(checkpoint: Path) -> list[Path]:
    return sorted(path for path in checkpoint.iterdir() if path.name != MANIFEST)
