from __future__ import annotations

import ast
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_anchorgate.parsing import parse

DEEP = f"x = {'[' * 60}1{']' * 60}\n" * 40


def test_threads_may_parse_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        trees = list(pool.map(parse, [DEEP] * 64))
    assert {ast.dump(tree) for tree in trees} == {ast.dump(ast.parse(DEEP))}


def test_what_does_not_parse_is_a_syntax_error_with_its_name() -> None:
    with pytest.raises(SyntaxError) as caught:
        parse("1 +", "here")
    assert caught.value.filename == "here"
