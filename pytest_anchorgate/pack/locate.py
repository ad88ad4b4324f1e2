"""Which file a user means by a pack's name."""

from __future__ import annotations

import difflib
from pathlib import Path

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.format import directory_error

SUFFIX = ".planck"


def find_pack(argument: str | Path, packs_dir: Path) -> Path:
    """Return the file that ``argument`` names: as a path, else within ``packs_dir``.

    The suffix ``.planck`` may be left out in both places. Raises `PackError` for a directory (a
    Hugging Face one gets the command that packs it) and for a miss, naming the nearest pack.
    """
    given = Path(argument)
    places = [given] if given.is_absolute() else [given, packs_dir / given]
    candidates = [named for place in places for named in (place, Path(f"{place}{SUFFIX}"))]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    for candidate in places:
        if candidate.is_dir():
            raise directory_error(candidate)
    raise PackError(f"{argument}: no such pack. {_advice(given, packs_dir)}")


def _advice(given: Path, packs_dir: Path) -> str:
    held = sorted(path.name for path in packs_dir.glob(f"*{SUFFIX}"))
    if not held:
        return f"Nothing in {packs_dir} ends in {SUFFIX}; give the path of a pack."
    wanted = given.name.removesuffix(SUFFIX) + SUFFIX
    nearest = difflib.get_close_matches(wanted, held, n=1, cutoff=0.0)[0]
    return f"The nearest in {packs_dir} is {nearest}."
