from __future__ import annotations

import ast

import pytest

from pytest_anchorgate.tasks.syntax import find_definition
from pytest_anchorgate.tasks.trim import trim


def trimmed(source: str, *, roots: tuple[str, ...] = (), from_line: int = 1) -> str:
    tree = ast.parse(source)
    entry = find_definition(tree, "f", from_line=from_line)
    assert entry is not None
    return trim(source, tree, entry, from_line=from_line, roots={"f", *roots})


F = "def f(x):\n    return g(x) + TABLE[x]\n"


@pytest.mark.parametrize(
    "tail",
    [
        "def g(x):\n    return h(x)\n\ndef h(x):\n    return x\n",
        "from m import g\nTABLE = [g(i) for i in range(9)]\n",
        "TABLE: list = []\nTABLE += [1]\nfor i in range(3):\n    TABLE.append(i)\n",
        "TABLE = {}\nwith open('x') as file:\n    TABLE['x'] = file.read()\n",
        "TABLE = {1: 2}\ndel TABLE[1]\nTABLE.update({2: 3})\n",
        "f.cache = {}\nf = cached(f)\nfrom m import cached\n",
        "import sys\nsys.setrecursionlimit(10 ** 6)\n",
        "from decimal import getcontext\ngetcontext().prec = 50\n",
        "try:\n    from m import g\nexcept ImportError:\n    g = None\n",
        "if True:\n    def g(x): return x\n",
        "@f.register(int)\ndef _(x):\n    return x\n",
        "class g:\n    pass\n",
    ],
)
def test_what_the_entry_point_reaches_stays(tail):
    assert trimmed(F + tail) == F + tail


@pytest.mark.parametrize(
    "tail",
    [
        "print(f(1))\n",
        "f(1)\n",
        "assert f(1) == 2\n",
        "raise SystemExit\n",
        "exit()\n",
        "result = f(1)\nprint(result)\n",
        "for i in range(3):\n    print(f(i))\n",
        "while True:\n    f(input())\n",
        "if __name__ == '__main__':\n    print(f(1))\n",
        "import nonexistent\n",
        "def other(x=missing):\n    return f(x)\n",
        "@missing\ndef other(): ...\n",
        "class Test(unittest.TestCase):\n    def test(self): f(1)\n",
        "def f(x):\n    return 'again'\n",
        "resul\n",
        "'''Another task.'''\n",
        "x = f\n",
    ],
)
def test_what_it_does_not_reach_goes(tail):
    assert trimmed(F + tail) == F


def test_names_that_the_tests_use_stay():
    tail = "class Node:\n    pass\n"
    assert trimmed(F + tail, roots=("Node",)) == F + tail


def test_what_stands_before_the_answer_stays_unless_it_is_inert():
    before = "import os\nos.environ['A'] = '1'\ndef unused(): ...\nprint('hi')\n'doc'\n"
    assert trimmed(before + F) == before + F
    assert trimmed("Answer\nassert f\nx > y\n" + F) == F


def test_the_prompts_own_lines_stay():
    source = "Answer\nassert Answer\n" + F
    assert trimmed(source, from_line=3) == source


def test_the_first_definition_of_a_helper_is_the_answers():
    source = F + "def g(x):\n    return 1\n" + "def g(x):\n    return 2\n"
    assert trimmed(source) == F + "def g(x):\n    return 1\n"


def test_names_reached_by_text_keep_every_definition():
    source = "def f(x):\n    return eval(x)\n\ndef g(): ...\nprint(f('g'))\nT = 1\n"
    assert trimmed(source) == source.replace("print(f('g'))\n", "")


def test_a_statement_that_shares_its_line_with_a_needed_one_stays():
    source = F + "TABLE = {}; print(TABLE)\nprint(1); print(2)\n"
    assert trimmed(source) == F + "TABLE = {}; print(TABLE)\n"


def test_comments_and_decorators_go_with_their_lines():
    source = F + "# then\n@a\n@b(\n    1\n)\ndef other():\n    pass\n# end"
    assert trimmed(source) == F + "# then\n# end"
