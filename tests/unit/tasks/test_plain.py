from __future__ import annotations

import hashlib
import importlib.util
import inspect
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anchorgate.errors import TaskFileError
from pytest_anchorgate.tasks.plain import plain_anchors, source_digest

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

SHAPES = '''\
"""Every shape that a plain anchor may have."""
import contextlib
import functools
import pytest
from hypothesis import given, strategies as st

ours = pytest.mark.anchor


def wrapping(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper


def with_options(**options):
    return wrapping


@pytest.mark.anchor
def test_one(planck):
    assert "return" in planck.complete("def f(x):")

    # said last, within
# said after, outside

@pytest.mark.parametrize("n", [
    1,
    2,
])
@pytest.mark.anchor(reason="it has one")
@with_options(
    text="""
def test_not_me(): pass
""")
def test_many_lines(
    planck,
    n,
):
    """Says

    something."""
    def inner():
        return [
            n
        ]
    assert inner()
@ours
@wrapping
@wrapping
def test_wrapped(planck): assert planck
@ours
async def test_async(planck):
    async def inner():
        pass
    await inner()

class TestGroup:
    @pytest.mark.anchor
    def test_method(self, planck):
        if planck:
            pass
        # within

    @staticmethod
    @ours
    def test_static(planck):
        x = (1,
    2)

    @classmethod
    @pytest.mark.anchor
    @wrapping
    def test_class(cls, planck): pass

    class TestInner:
        @ours
        def test_deep(self, planck):
            text = """
at the margin
"""

        @ours
        def test_after(self): \\
            return None

@(
    pytest.mark.anchor
)
def test_bare(): pass

if True:
    @ours
    def test_under_if(planck):
        pass
    x = 1

with contextlib.suppress(ImportError):
    @ours
    @given(n=st.integers())
    def test_property(planck, n):
        assert n + 0 == n\f

@ours
def test_last(planck):
    assert planck'''
NAMES = (
    "test_one", "test_many_lines", "test_wrapped", "test_async", "TestGroup::test_method",
    "TestGroup::test_static", "TestGroup::test_class", "TestGroup::TestInner::test_deep",
    "TestGroup::TestInner::test_after", "test_bare", "test_under_if", "test_property", "test_last",
)  # fmt: skip


def load(path: Path, source: bytes) -> ModuleType:
    path.write_bytes(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def find(module: ModuleType, name: str) -> Any:
    value: Any = module
    for part in name.split("::"):
        value = getattr(value, part)
    return value


def names(source: str) -> list[str]:
    found = plain_anchors(textwrap.dedent(source), "t.py")
    assert all(name.startswith("t.py::") for name in found)
    return [name.removeprefix("t.py::") for name in found]


@pytest.fixture(scope="module", params=["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def shapes(tmp_path_factory: pytest.TempPathFactory, request: Any) -> tuple[ModuleType, str]:
    source = SHAPES.replace("\n", request.param)
    return load(tmp_path_factory.mktemp("shapes") / "shapes.py", source.encode()), source


def test_every_shape_is_found_in_order(shapes):
    _, source = shapes
    assert tuple(plain_anchors(source, "a/t.py")) == tuple(f"a/t.py::{name}" for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_source_and_the_live_function_have_one_digest(shapes, name):
    module, source = shapes
    function = find(module, name)
    digest = plain_anchors(source, "t.py")[f"t.py::{name}"]
    assert source_digest(function) == digest
    text = textwrap.dedent(inspect.getsource(function))
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_a_bound_method_has_its_functions_digest(shapes):
    module, source = shapes
    bound = module.TestGroup().test_method
    assert source_digest(bound) == plain_anchors(source, "t.py")["t.py::TestGroup::test_method"]


def test_a_change_of_the_function_and_nothing_else_changes_the_digest():
    before = plain_anchors(SHAPES, "t.py")
    after = plain_anchors("import os\n" + SHAPES.replace('"return" in', '"yield" in'), "t.py")
    assert {name for name in before if before[name] != after[name]} == {"t.py::test_one"}


def test_indentation_is_no_change():
    flat = "import pytest\n@pytest.mark.anchor\ndef test_x(planck):\n    assert planck\n"
    nested = flat.replace("@", "if True:\n    @").replace("def", "    def").replace(
        "    assert", "        assert"
    )  # fmt: skip
    assert plain_anchors(flat, "t.py") == plain_anchors(nested, "t.py")


@pytest.mark.parametrize(
    "mark",
    [
        "pytestmark = pytest.mark.anchor",
        "pytestmark = [pytest.mark.slow, pytest.mark.anchor]",
        "pytestmark = (mark.anchor(),)",
        "pytestmark: list[object] = [pt.mark.anchor]",
        "anchor = mark.anchor\npytestmark = [anchor]",
        "try:\n    import x\nexcept ImportError:\n    pytestmark = pytest.mark.anchor",
    ],
)
def test_a_modules_mark_is_its_tests(mark):
    assert names(f"{mark}\ndef test_x(planck): pass\nclass TestA:\n  def test_y(self): pass") == [
        "test_x",
        "TestA::test_y",
    ]


@pytest.mark.parametrize(
    "head",
    ["@pytest.mark.anchor\nclass TestA:\n  x = 1", "class TestA:\n  pytestmark = [m.anchor]"],
)
def test_a_classs_mark_is_its_tests(head):
    source = f"import pytest\nm = pytest.mark\n{head.replace('m.', 'pytest.mark.')}\n"
    source += "  def test_x(self): pass\n  class TestB:\n    def test_y(self): pass\n"
    source += "def test_z(): pass\n"
    assert names(source) == ["TestA::test_x", "TestA::TestB::test_y"]


@pytest.mark.parametrize(
    "source",
    [
        "@pytest.mark.anchor\ndef test_rows(planck, task): pass",
        "@pytest.mark.anchor\ndef test_rows(planck, *, task): pass",
        "@pytest.mark.anchor\ndef test_rows(task, /): pass",
        "@pytest.mark.anchor\ndef helper(planck): pass",
        "@pytest.mark.anchors\ndef test_x(planck): pass",
        "@pytest.mark.mbpp\ndef test_x(planck): pass",
        "@anchor\ndef test_x(planck): pass",
        "def outer():\n  @pytest.mark.anchor\n  def test_x(planck): pass",
        "@pytest.mark.anchor\nclass Base:\n  def test_x(self): pass",
        "@pytest.mark.anchor\nclass TestA:\n  def __init__(self): pass\n  def test_x(self): pass",
        "@pytest.mark.anchor\nclass TestA:\n  __test__ = False\n  def test_x(self): pass",
        "pytestmark = pytest.mark.anchor",
        "",
    ],
)
def test_what_pytest_would_not_run_as_an_anchor_is_none(source):
    assert names(source) == []


def test_a_byte_order_mark_is_no_source():
    source = "\ufeff@pytest.mark.anchor\ndef test_x(): pass\n"
    assert plain_anchors(source, "t.py") == plain_anchors(source[1:], "t.py")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\ndef test_x(:\n", r"^a/t\.py:2: invalid syntax\. .*mend the file"),
        ("x = 1\n\0", r"^a/t\.py:2: a null byte"),
        ("def f():\n    pass\n  x\n", r"^a/t\.py:3: unindent does not match"),
        ("x = " + "-" * 200_000 + "1", r"^a/t\.py:1: \w.*\. Its plain anchors"),
    ],
)
def test_a_source_that_does_not_compile_is_named_with_its_line(source, message):
    with pytest.raises(TaskFileError, match=message):
        plain_anchors(source, "a/t.py")


def test_a_function_without_a_file_is_refused():
    space: dict[str, Any] = {}
    exec("def test_made(planck): pass", space)
    with pytest.raises(TaskFileError, match=r"^test_made: its source cannot be read: .*in a file"):
        source_digest(space["test_made"])
    with pytest.raises(TaskFileError, match=r"^len: its source cannot be read"):
        source_digest(len)
