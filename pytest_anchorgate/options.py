"""The plugin's options: the only reader of pytest's command line and ini file.

Every value is parsed once, into a frozen ``Options``; a bad one is a usage error before any
weight is read.
"""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from _pytest.config import ConftestImportFailure, get_config  # no public way to parse alone

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.option_reader import OptionReader
from pytest_anchorgate.option_table import (
    FLAGS,
    OPTIONS,
    UNSET,
    positive_float,
    positive_int,
    tier,
)
from pytest_anchorgate.selection import is_gated, names_suite, selects

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_anchorgate.run import Options
    from pytest_anchorgate.tasks.suites import SuiteSpec

T = TypeVar("T")


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
    for flag, meaning in FLAGS.items():
        dest = flag.lstrip("-").replace("-", "_")
        group.addoption(flag, dest=dest, action="store_true", help=meaning)
    parser.addini(
        "gate_allowed_losses",
        "SUITE=N: refuse when more than N tasks of a suite are lost; without it losses of a suite "
        "other than anchor are only reported",
        type="linelist",
        default=[],
    )
    parser.addini(
        "gate_paths",
        "what a gated run collects when no path is given",
        type="args",
        default=["tests/gate"],
    )


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
    from pytest_anchorgate.ini import find_ini

    here = early_config.invocation_params.dir
    try:
        meant = next((ini for place in (here, *here.parents) if (ini := find_ini(place))), None)
    except UsageError:  # pytest itself says what is wrong with its file
        return
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


def read_options(config: pytest.Config) -> Options:
    """Return what the command line and the ini file ask for.

    :raises UsageError: naming the option and its value.
    """
    from pytest_anchorgate.run import Options
    from pytest_anchorgate.tasks.prompt import parse_style

    read = OptionReader(config)
    _refuse_unavailable(config)
    option, narrowed = config.option, _is_narrowed(config)
    _refuse_uncertifiable(option, narrowed=narrowed)
    surgery = read.path("surgery")
    if surgery is not None:
        _refuse_inoperable(option, surgery, narrowed=narrowed)
    suites = _selected_suites(read, option.markexpr)
    return Options(
        root=config.rootpath,
        pack=read.text("pack") if surgery is None else None,
        surgery=surgery,
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
        baseline=read.baseline(),
        ratchet=read.text("gate_ratchet"),
        allowed_losses=read.allowed_losses(),
        json=read.path("gate_json"),
        html=read.path("gate_html"),
        markdown=read.path("gate_markdown"),
        anchors=selects(option.markexpr, "anchor"),
        anchors_chosen=option.gate_anchors is not None,
        gate_paths=tuple(config.getini("gate_paths")),
        certify=option.gate_certify,
        whole=option.gate_whole,
        narrowed=narrowed,
        stops_early=bool(option.maxfail or option.gate_fail_fast),
    )


def parse_gate_options(args: Sequence[str]) -> Options:
    """Return what pytest would read from ``args``, its ini file and its conftest files.

    pytest parses as for a run and goes no further: nothing is collected, and of what parsing
    changes in this process only imported modules stay.

    :raises UsageError: in one line, for whatever pytest or its plugins refuse.
    """
    # With a path first: without one pytest warns of testpaths that are not there, and a value might
    # be taken for one. Without rewriting asserts: it warns of modules that are imported already.
    given, path = [".", "--assert=plain", *args], sys.path.copy()
    try:
        config = get_config(given)
        try:
            config.parse(given)
            return read_options(config)
        finally:
            config._ensure_unconfigure()
            sys.path[:] = path
    except (pytest.UsageError, ConftestImportFailure, ImportError, OSError) as error:
        raise UsageError(f"{_without_usage(str(error))}. `pytest --help` lists options.") from None


def _without_usage(text: str) -> str:
    """Return the line of pytest's message that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = next((line for line in lines if "error: " in line), lines[0])
    return told.removeprefix(f"{told.partition('error: ')[0]}error: ").rstrip(".")


def _refuse_unavailable(config: pytest.Config) -> None:
    option = config.option
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


def _refuse_uncertifiable(option: argparse.Namespace, *, narrowed: bool) -> None:
    if not option.gate_certify:
        return
    if option.gate_completions:
        raise UsageError(
            f"--gate-certify: a certificate is a pack's, and --gate-completions="
            f"{option.gate_completions} has none. Keep the --gate-json report instead."
        )
    if narrowed:
        raise UsageError(
            "--gate-certify: a certificate needs every task, and this run is narrowed by -k, "
            "--lf, --stepwise, --deselect or a node id. Leave that out."
        )


def _refuse_inoperable(option: argparse.Namespace, recipe: Path, *, narrowed: bool) -> None:
    """Refuse what cannot stand beside ``--surgery``, and a gate that its recipe finds too small."""
    from pytest_anchorgate.surgery.recipe import read_recipe

    where = f"--surgery={option.surgery}"
    others = {
        "--pack": option.pack,
        "--gate-completions": option.gate_completions,
        "--gate-certify": option.gate_certify,
    }
    if other := next((flag for flag, value in others.items() if value), None):
        raise UsageError(f"{where}: makes and gates a pack of its own. Leave {other} out.")
    if narrowed:
        raise UsageError(
            f"{where}: is decided by a whole gate, and this run is narrowed by -k, --lf, "
            "--stepwise, --deselect or a node id. Leave that out."
        )
    for suite in read_recipe(recipe).gate.suites:
        if not selects(option.markexpr, suite):
            raise UsageError(
                f"{recipe}: gate.suites names {suite}, which -m {option.markexpr!r} leaves out. "
                "Select it too."
            )


def _selected_suites(read: OptionReader, markexpr: str) -> dict[str, tuple[SuiteSpec, ...]]:
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
