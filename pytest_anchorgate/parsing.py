"""Python's parser, for one thread at a time.

CPython counts the depth of a tree that it builds once per interpreter (seen in 3.11): two threads
that build trees at once are told `SystemError: AST constructor recursion depth mismatch`.
"""

from __future__ import annotations

import ast
from threading import Lock

_PARSER = Lock()


def parse(source: str, name: str = "<unknown>") -> ast.Module:
    """Return the tree of ``source``; raises what `ast.parse` does."""
    with _PARSER:
        return ast.parse(source, name)
