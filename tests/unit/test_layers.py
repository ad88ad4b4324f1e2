from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_anchorgate

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(pytest_anchorgate.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (
    {"plugin", "hooks", "cli", "commands"},
    {"options", "option_reader", "option_table", "selection", "hookspecs"},
    {
        *("run", "session", "planck", "controller", "turns", "progress"),
        *("baseline", "redecide", "ratchet", "breaches", "certify", "compare"),
        *("confirm", "answers", "finding"),
        *("hints", "reporting", "writing", "history", "record", "init", "ini"),
        *("operation", "ruling"),
    },
    {"surgery", "report", "gate", "certificate", "waivers", "stats", "ledger"},
    {"verify", "prompter"},
    {"tasks", "sandbox", "engine", "store", "git", "parsing"},
    {"pack"},
    {"errors"},
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
KNOW_PYTEST = {"plugin", "hooks", "hookspecs", "options", "option_reader", "selection"}
HEAVY = {"torch", "transformers", "peft", "accelerate"}
MAY_IMPORT_HEAVY = (
    {
        f"engine/{name}.py"
        for name in ("transformers", "decode", "cache", "head", "linear", "threads", "memory")
    }
    | {
        f"surgery/{name}.py"
        for name in (
            *("protect", "trainer", "checkpoints", "train", "watch", "merge"),
            *("fold", "dial", "sample"),
        )
    }
    | {f"pack/{name}.py" for name in ("read", "write", "convert", "diff", "architecture", "source")}
)


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def at_module_level(tree: ast.Module) -> Iterator[str]:
    """Imports that run when the module is imported: not in functions, not for type checkers."""
    for node in tree.body:
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not typing_only and not isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from imports(node)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    prefix = f"{PACKAGE.name}."
    imported = {n.removeprefix(prefix).split(".")[0] for n in imports(tree) if n.startswith(prefix)}
    level = LEVEL.get(part_of(path), 0)
    assert not {part for part in imported if LEVEL[part] < level}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_plugin_and_options_know_pytest(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    knows = any(name.split(".")[0] in {"pytest", "_pytest", "xdist"} for name in imports(tree))
    assert not knows or part_of(path) in KNOW_PYTEST


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_where_weights_are(path: Path) -> None:
    heavy = {n.split(".")[0] for n in at_module_level(ast.parse(path.read_text("utf-8")))} & HEAVY
    assert not heavy or str(path.relative_to(PACKAGE)) in MAY_IMPORT_HEAVY


def test_every_part_has_a_layer() -> None:
    assert {part_of(path) for path in MODULES} - {"__init__"} == LEVEL.keys()


def test_no_module_imports_itself_through_others() -> None:
    names = {
        path: ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in MODULES
    }
    graph = {
        name: set(at_module_level(ast.parse(path.read_text("utf-8")))) & set(names.values())
        for path, name in names.items()
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)
