"""The plugin's own hooks, for projects that replace a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.hookspec(firstresult=True)
def pytest_anchorgate_surgery(recipe: Path, base: Path, directory: Path) -> Path | None:
    """Make a candidate pack in another way than ``--surgery`` does, and return its path.

    Called once, on the controller, before anything is gated. ``recipe`` is the file that
    ``--surgery`` names, already validated; ``base`` the pack that it names; ``directory`` belongs
    to this recipe, rows and base, and what is left there is found again by the next attempt.
    Everything after this, from the gate to promotion or refusal, stays the plugin's. The first
    hook that does not return None decides::

        # conftest.py
        def pytest_anchorgate_surgery(recipe, base, directory):
            pack = directory / "candidate.planck"
            subprocess.run(["our-trainer", str(recipe), str(base), str(pack)], check=True)
            return pack
    """
