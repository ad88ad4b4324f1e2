"""The plugin's options: the only reader of pytest's command line and ini file.

Every value is parsed once, into a frozen ``Options``; a bad one is a usage error before any
weight is read.
"""

from __future__ import annotations

import itertools
import os.path
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from _pytest.mark.expression import Expression  # -m has no public evaluator

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.option_table import OPTIONS, SUITES, positive_float, positive_int, tier

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from pytest_anchorgate.run import Options
    from pytest_anchorgate.tasks.suites import SuiteSpec

T = TypeVar("T")

INI_FILES = {  # and what makes each one pytest's
    "pytest.toml": "",
    ".pytest.toml": "",
    "pytest.ini": "",
    ".pytest.ini": "",
    "pyproject.toml": "[tool.pytest",
    "tox.ini": "[pytest]",
    "setup.cfg": "[tool:pytest]",
}
UNSET: list[str] = []  # by identity: an ini value that nobody set, unlike one set to nothing


def add_options(parser: pytest.Parser) -> None:
    """Register the options and their ini twins."""
    group = parser.getgroup("anchorgate", "anchorgate: never lose what a model could do")
    for option in OPTIONS:
        default = f" Default: {option.default}." if option.default else ""
        group.addoption(
            option.flag,
            dest=option.dest,
            metavar=option.metavar,
            action="append" if option.repeatable else "store",
            default=None,
            help=f"{option.help}.{default}".replace("%", "%%"),
        )
        kind: Any = "linelist" if option.repeatable else "string"
        meaning = f"{option.help} (as {option.flag})"
        parser.addini(option.ini, meaning, type=kind, default=UNSET if option.repeatable else None)
    group.addoption(
        "--gate-whole",
        dest="gate_whole",
        action="store_true",
        help="a narrowed run (-k, --lf, a node id) is invalid instead of partial; for CI.",
    )
    parser.addini(
        "gate_paths",
        "what a gated run collects when no path is given",
        type="args",
        default=["tests/gate"],
    )


def selects(markexpr: str, suite: str) -> bool:
    """Whether ``-m markexpr`` keeps a test that has the suite's marker and no other."""
    return not markexpr or _evaluate(markexpr, suite)


def _evaluate(markexpr: str, marker: str | None) -> bool:
    def has(name: str, /, **_: str | int | bool | None) -> bool:
        return name == marker

    return Expression.compile(markexpr).evaluate(has)


def names_suite(markexpr: str) -> bool:
    """Whether ``-m`` asks for a suite: a suite's test is kept where an unmarked one is not."""
    if not markexpr:
        return False
    try:
        return not _evaluate(markexpr, None) and any(selects(markexpr, suite) for suite in SUITES)
    except Exception:  # SyntaxError since pytest 9, a class of its own before
        return False  # pytest itself reports a wrong expression, with its place


def is_gated(option: argparse.Namespace) -> bool:
    """Whether the command line asks for a gate."""
    asked = option.pack or option.surgery or option.gate_completions
    return bool(asked) or names_suite(option.markexpr)


def narrow_collection(early_config: pytest.Config, args: list[str]) -> None:
    """Collect only the ini's ``gate_paths`` when a gate is asked for and no path is given."""
    known = early_config.known_args_namespace
    if known.file_or_dir or not is_gated(known):
        return
    _refuse_another_root(early_config, args)
    paths = [early_config.rootpath / path for path in early_config.getini("gate_paths")]
    existing = [str(path) for path in paths if path.exists()]
    args.extend(existing)
    known.file_or_dir = existing  # initial conftest files are looked up from here


def _refuse_another_root(early_config: pytest.Config, args: list[str]) -> None:
    """Refuse to run with another root directory than the user means.

    pytest looks for its ini file before plugins add their options, and takes the value in
    ``--pack /elsewhere/x.planck`` for a test path; ``--pack=/elsewhere/x.planck`` it does not.
    """
    here = early_config.invocation_params.dir
    meant = next((ini for place in (here, *here.parents) if (ini := _ini_file(place))), None)
    found = early_config.inipath
    if meant is None or (found is not None and here.is_relative_to(found.parent)):
        return
    flags = {option.flag for option in OPTIONS}
    for flag, value in itertools.pairwise(args):
        if flag in flags and (here / value.partition(":")[0]).exists():
            raise pytest.UsageError(
                f"{flag} {value}: pytest took this for a test path and {early_config.rootpath} "
                f"for the root directory, so {meant} is not read. Write {flag}={value}."
            )


def _ini_file(directory: Path) -> Path | None:
    """Return the file in ``directory`` that pytest would take its configuration from."""
    for name, section in INI_FILES.items():
        path = directory / name
        if path.is_file() and section in path.read_text("utf-8", "replace"):
            return path
    return None


def read_options(config: pytest.Config) -> Options:
    """Return what the command line and the ini file ask for.

    :raises UsageError: naming the option and its value.
    """
    from pytest_anchorgate.run import Options
    from pytest_anchorgate.tasks.prompt import parse_style

    read = _Reader(config)
    _refuse_unavailable(config)
    option = config.option
    suites = _selected_suites(read, option.markexpr)
    return Options(
        root=config.rootpath,
        pack=read.text("pack"),
        suites=suites,
        references={n: specs[0] for n in ("mbpp", "humaneval") if (specs := read.suite(n))},
        completions=read.path("gate_completions"),
        prompt_style=read.optional("gate_prompt", parse_style),
        max_new_tokens=read.parsed("gate_max_new_tokens", positive_int),
        timeout_s=read.parsed("gate_timeout", positive_float),
        sandbox=read.parsed("gate_sandbox", tier),
        device=read.parsed("gate_device", str),
        dtype=read.parsed("gate_dtype", str),
        batch_tokens=read.parsed("gate_batch_tokens", positive_int),
        store=read.required_path("gate_store"),
        engine=read.parsed("gate_engine", str),
        json=read.path("gate_json"),
        whole=option.gate_whole,
        narrowed=_is_narrowed(config),
    )


def _refuse_unavailable(config: pytest.Config) -> None:
    option = config.option
    if option.surgery:
        raise UsageError(
            f"--surgery={option.surgery}: surgery is not available yet. "
            "Train elsewhere, pack the result with `anchorgate pack`, and gate it with --pack."
        )
    if names_suite(option.markexpr) and selects(option.markexpr, "livecodebench"):
        raise UsageError(
            f"-m {option.markexpr!r}: selects livecodebench, whose loader is not available yet. "
            "Select anchor, mbpp, humaneval or suite."
        )
    if option.pack and option.gate_completions:
        raise UsageError(
            f"--pack={option.pack} and --gate-completions={option.gate_completions}: the second "
            "replaces the first's answers. Give one of them."
        )


def _selected_suites(read: _Reader, markexpr: str) -> dict[str, tuple[SuiteSpec, ...]]:
    """Return the files of each suite that ``-m`` selects.

    A suite that ``-m`` names must have a file; without such an ``-m``, those with files count.
    An empty ``gate_anchors`` in the ini file says that all anchors are plain tests.
    """
    suites = {}
    for name in ("anchor", "mbpp", "humaneval"):
        if not selects(markexpr, name):
            continue
        specs = read.suite(name)
        if specs:
            suites[name] = specs
        elif names_suite(markexpr) and not (name == "anchor" and read.in_ini("gate_anchors")):
            option = "gate-anchors" if name == "anchor" else f"gate-{name}"
            raise UsageError(
                f"-m {markexpr!r}: selects {name}, and no file supplies its tasks. "
                f"Give --{option} PATH or set {option.replace('-', '_')} in the ini file."
            )
    return suites


def _is_narrowed(config: pytest.Config) -> bool:
    """Whether the user asked pytest for fewer items than the selected suites hold."""
    option = config.option
    asked = ("keyword", "deselect", "lf", "stepwise")
    return any(getattr(option, name, None) for name in asked) or any(
        "::" in argument for argument in config.args
    )


class _Reader:
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

    def in_ini(self, name: str) -> bool:
        return self.config.getini(name) is not UNSET

    def suite(self, name: str) -> tuple[SuiteSpec, ...]:
        from pytest_anchorgate.tasks.suites import parse_suite_spec

        values, base = self.values("gate_anchors" if name == "anchor" else f"gate_{name}")
        return tuple(parse_suite_spec(os.path.normpath(base / value)) for value in values)
