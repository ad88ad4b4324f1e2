"""What `anchorgate init` writes: a repository's gate, next to what is there and never over it.

Everything is worked out before the first file is written, so that a mistake changes nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.ini import find_ini, read_ini, render_ini, with_settings
from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.pack.locate import SUFFIX, find_pack
from pytest_anchorgate.pack.production import FILE, Production, render_production

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEMPLATES = Path(__file__).with_name("templates")
_FROM_TEMPLATES = {
    "tests/gate/test_gate.py": "test_gate.py.txt",  # not .py: it is no module of this package
    "anchors/README.md": "anchors.md",
    ".github/workflows/anchor-gate.yml": "anchor-gate.yml",
}
_ANCHORS = "anchors/mine.jsonl"
_STORE = b".anchorgate/"
_GATE = "pytest -m anchor --gate-certify, and commit what it wrote"
_ATTRIBUTES = f"packs/*{SUFFIX} filter=lfs diff=lfs merge=lfs -text"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """One file of the gate, relative to the root; no content: it stays as it is."""

    name: str
    content: bytes | None


def init_repository(root: Path, *, pack: str | None = None) -> Iterator[str]:
    """Write the gate of the repository at ``root``; yield a line on each file, then what is next.

    ``pack`` is the one in production, as `find_pack` takes it; without it, the only one in
    ``packs/``. Raises `UsageError` or `PackError` before anything is written when a file cannot
    have its place, when it is unclear which pack is meant, or when the pack is none.
    """
    if not root.is_dir():
        raise UsageError(f"{root}: is not a directory. Give the top of a repository.")
    files = [PlannedFile(name=name, content=_template(root, name)) for name in _FROM_TEMPLATES]
    production, ini = _production(root, pack), _ini(root)
    files += [file for file in (production, ini, _gitignore(root)) if file is not None]
    told = (*_lfs_advice(root), _next_step(root, ini, has_pack=production is not None))
    for file in files:
        if file.content is not None:
            write_file((root / file.name).resolve(), file.content, parents=True)
        yield f"{'kept' if file.content is None else 'wrote'} {file.name}"
    yield from told


def _template(root: Path, name: str) -> bytes | None:
    if _is_taken(root, name):
        return None
    return (_TEMPLATES / _FROM_TEMPLATES[name]).read_bytes()


def _is_taken(root: Path, name: str) -> bool:
    """Say whether something has the name already; raises `UsageError` where nothing can."""
    for parent in (root / name).parents:
        if parent == root:
            break
        if os.path.lexists(parent) and not parent.is_dir():
            raise UsageError(f"{parent}: is no directory, and {name} belongs into it. Rename it.")
    return os.path.lexists(root / name)


def _production(root: Path, pack: str | None) -> PlannedFile | None:
    name = f"packs/{FILE}"
    if _is_taken(root, name):
        return PlannedFile(name=name, content=None)
    path = _pack_in_production(root / "packs", pack)
    if path is None:
        return None
    read_pack(path)
    inside = os.path.relpath(path, root / "packs")
    if inside.startswith(os.pardir):
        raise UsageError(f"{path}: lies outside {root / 'packs'}. Move it there, and name it so.")
    production = Production(pack=Path(inside).as_posix(), sha256=digest_file(path), previous="")
    return PlannedFile(name=name, content=render_production(production).encode())


def _pack_in_production(packs: Path, pack: str | None) -> Path | None:
    if pack is not None:
        return find_pack(pack, packs)
    held = sorted(packs.glob(f"*{SUFFIX}"))
    if len(held) > 1:
        names = ", ".join(path.name for path in held)
        raise UsageError(f"{packs}: holds {names}. Name the one in production: --pack NAME.")
    return held[0] if held else None


def _ini(root: Path) -> PlannedFile:
    settings = {"gate_anchors": _anchor_files(root), "gate_paths": ["tests/gate"]}
    path = find_ini(root)
    if path is None:
        return PlannedFile(name="pytest.ini", content=render_ini(settings))
    old = read_ini(path)
    new = with_settings(path, old, settings)
    return PlannedFile(name=path.name, content=None if new == old else new)


def _anchor_files(root: Path) -> list[str]:
    names = sorted(path.name for path in (root / "anchors").glob("*.jsonl"))
    for name in names:
        if not name.isprintable():
            raise UsageError(f"{root / 'anchors'}: {name!r} is no name for an ini file. Rename it.")
    return [f"anchors/{name}" for name in names] or [_ANCHORS]


def _gitignore(root: Path) -> PlannedFile:
    path = root / ".gitignore"
    if not os.path.lexists(path):
        return PlannedFile(name=path.name, content=_STORE + b"\n")
    old = read_ini(path)
    stem = _STORE.strip(b"/")
    if stem in (line.strip().strip(b"/") for line in old.split(b"\n")):
        return PlannedFile(name=path.name, content=None)
    newline = b"\r\n" if b"\r\n" in old else b"\n"
    gap = newline if old and not old.endswith(b"\n") else b""
    return PlannedFile(name=path.name, content=old + gap + _STORE + newline)


def _lfs_advice(root: Path) -> Iterator[str]:
    path = root / ".gitattributes"
    if not (path.is_file() and b"filter=lfs" in read_ini(path)):
        yield f"advice: packs are large; with Git LFS, .gitattributes says: {_ATTRIBUTES}"


def _next_step(root: Path, ini: PlannedFile, *, has_pack: bool) -> str:
    if not has_pack:
        return f"next: anchorgate pack HF_DIR packs/NAME{SUFFIX}, and anchorgate init again"
    settings = read_ini(root / ini.name) if ini.content is None else ini.content
    if _ANCHORS.encode() in settings and not (root / _ANCHORS).exists():
        return f"next: write {_ANCHORS} as anchors/README.md shows it; then {_GATE}"
    return f"next: {_GATE}"
