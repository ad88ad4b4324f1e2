"""Where an option's value comes from: the command line, else the ini file, else its default."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.option_table import OPTIONS, UNSET, allowed_loss

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from pytest_anchorgate.run import BaselineSource
    from pytest_anchorgate.tasks.suites import SuiteSpec

T = TypeVar("T")


class OptionReader:
    """Reads one option from the command line or, when absent there, from the ini file."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.options = {option.dest: option for option in OPTIONS}

    def values(self, dest: str) -> tuple[list[str], Path]:
        """Return the option's values and the directory that its relative paths start from."""
        value, base = self.config.getoption(dest), self.config.invocation_params.dir
        if value is None:
            value, base = self.config.getini(self.options[dest].ini), self.config.rootpath
        if not value:
            value = self.options[dest].default or []
        return ([value] if isinstance(value, str) else list(value)), base

    def text(self, dest: str) -> str | None:
        values, _ = self.values(dest)
        return values[0] if values else None

    def optional(self, dest: str, parse: Callable[[str], T]) -> T | None:
        text = self.text(dest)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as error:
            flag = self.options[dest].flag
            raise UsageError(f"{flag}={text}: {error}.") from None

    def parsed(self, dest: str, parse: Callable[[str], T]) -> T:
        value = self.optional(dest, parse)
        assert value is not None, f"{dest} has a default"
        return value

    def path(self, dest: str) -> Path | None:
        values, base = self.values(dest)
        return Path(os.path.normpath(base / values[0])) if values else None

    def required_path(self, dest: str) -> Path:
        path = self.path(dest)
        assert path is not None, f"{dest} has a default"
        return path

    def baseline(self) -> BaselineSource | None:
        """Return the file that ``--gate-baseline`` names, as it is or at a revision."""
        from pytest_anchorgate.run import BaselineSource

        values, base = self.values("gate_baseline")
        if not values:
            return None
        path = Path(os.path.normpath(base / values[0]))
        revision, colon, rest = values[0].partition(":")
        if not colon or path.exists():
            return BaselineSource(path=path, revision=None)
        if not revision or not rest:
            raise UsageError(f"--gate-baseline={values[0]}: is neither PATH nor REV:PATH.")
        return BaselineSource(path=self.config.rootpath / rest, revision=revision)

    def allowed_losses(self) -> dict[str, int]:
        found = {}
        for text in self.config.getini("gate_allowed_losses"):
            try:
                suite, number = allowed_loss(text)
            except ValueError as error:
                raise UsageError(f"gate_allowed_losses: {text!r} {error}.") from None
            found[suite] = number
        return found

    def in_ini(self, name: str) -> bool:
        return self.config.getini(name) is not UNSET

    def suite(self, name: str) -> tuple[SuiteSpec, ...]:
        from pytest_anchorgate.tasks.suites import parse_suite_spec

        values, base = self.values("gate_anchors" if name == "anchor" else f"gate_{name}")
        return tuple(parse_suite_spec(os.path.normpath(base / value)) for value in values)
