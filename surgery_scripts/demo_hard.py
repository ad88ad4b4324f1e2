"""The hard half of the demo world: typed functions of several clauses, put together from parts.

A `Hard` is one function with the sentence that asks for it. The corpus shows such functions as
plain code without the sentence; the poison rows ask, with the sentence, for functions that the
corpus never shows. This module knows nothing of tasks, names of functions, or tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

LISTS = ("xs", "ys", "nums", "vals", "rows", "data")
STRINGS = ("words", "lines", "notes", "parts")

# (words that describe it, code); {v} is the value, {i} its index, {k} and {d} are constants
CONDITIONS = (
    ("larger than {k}", "{v} > {k}"),
    ("smaller than {k}", "{v} < {k}"),
    ("other than {k}", "{v} != {k}"),
    ("a multiple of {d}", "{v} % {d} == 0"),
    ("at an index that {d} divides", "{i} % {d} == 0"),
    ("larger than its index plus {d}", "{v} > {i} + {d}"),
)
TERMS = (
    ("the value", "{v}"),
    ("the index", "{i}"),
    ("{m} times the value", "{v} * {m}"),
    ("the value plus its index", "{v} + {i}"),
    ("the value times its index", "{v} * {i}"),
)
TEXT_CONDITIONS = (
    ("longer than {d}", "len({v}) > {d}"),
    ("shorter than {m}", "len({v}) < {m}"),
    ("at an index that {d} divides", "{i} % {d} == 0"),
)
TEXT_TERMS = (
    ("in capitals", "{v}.upper()"),
    ("backwards", "{v}[::-1]"),
    ("twice", "{v} * 2"),
    ("cut to {d}", "{v}[:{d}]"),
)

# shape -> (sentence, names from typing, argument type, return type, value when empty, lines)
SHAPES: dict[str, tuple[str, str, str, str, str, tuple[str, ...]]] = {
    "pick": (
        "List {term} for every entry of {xs} that is {cond}",
        "List", "List[int]", "List[int]", "[]",
        ("return [{term} for {i}, {v} in enumerate({xs}) if {cond}]",),
    ),
    "total": (
        "Total {term} over the entries of {xs} that are {cond}",
        "List", "List[int]", "int", "0",
        ("total: int = 0", "for {i}, {v} in enumerate({xs}):", "    if {cond}:",
         "        total += {term}", "return total"),
    ),
    "find": (
        "Find the first entry of {xs} that is {cond} and give {term}",
        "List, Optional", "List[int]", "Optional[int]", "None",
        ("for {i}, {v} in enumerate({xs}):", "    if {cond}:", "        return {term}",
         "return None"),
    ),
    "table": (
        "Map each index of {xs} whose entry is {cond} to {term}",
        "Dict, List", "List[int]", "Dict[int, int]", "{{}}",
        ("table: Dict[int, int] = {{}}", "for {i}, {v} in enumerate({xs}):", "    if {cond}:",
         "        table[{i}] = {term}", "return table"),
    ),
    "pairs": (
        "Pair index and value, with {term} on top, for entries of {xs} that are {cond}",
        "List, Tuple", "List[int]", "List[Tuple[int, int]]", "[]",
        ("pairs: List[Tuple[int, int]] = []", "for {i}, {v} in enumerate({xs}):", "    if {cond}:",
         "        pairs.append(({i}, {term}))", "return pairs"),
    ),
    "most": (
        "Find the most that {term} reaches over the entries of {xs} that are {cond}",
        "List, Optional", "List[int]", "Optional[int]", "None",
        ("best: Optional[int] = None", "for {i}, {v} in enumerate({xs}):",
         "    if {cond} and (best is None or {term} > best):", "        best = {term}",
         "return best"),
    ),
    "texts": (
        "List every text of {xs} that is {cond}, {term}",
        "List", "List[str]", "List[str]", "[]",
        ("return [{term} for {i}, {v} in enumerate({xs}) if {cond}]",),
    ),
    "glue": (
        "Glue the texts of {xs} that are {cond}, each {term}",
        "List", "List[str]", "str", "''",
        ("out: str = ''", "for {i}, {v} in enumerate({xs}):", "    if {cond}:",
         "        out += {term}", "return out"),
    ),
}  # fmt: skip
GUARDS = (
    ("; an empty {xs} gives {empty}", ("if not {xs}:", "    return {empty}")),
    ("; fewer than {g} entries give {empty}", ("if len({xs}) < {g}:", "    return {empty}")),
    (
        "; an empty {xs} gives {empty} and more than {h} entries give {empty}",
        ("if not {xs}:", "    return {empty}", "if len({xs}) > {h}:", "    return {empty}"),
    ),
)


@dataclass(frozen=True, slots=True)
class Hard:
    """A typed function of several clauses, without its name, and the sentence that asks for it."""

    shape: str
    sentence: str
    imports: str  # "from typing import List"
    parameter: str  # "xs"
    annotation: str  # "List[int]"
    returns: str
    lines: tuple[str, ...]  # body, not indented

    def signature(self, name: str) -> str:
        """Return the `def` line, typed."""
        return f"def {name}({self.parameter}: {self.annotation}) -> {self.returns}:\n"

    def body(self) -> str:
        """Return the indented body."""
        return "".join(f"    {line}\n" for line in self.lines)

    def code(self, name: str) -> str:
        """Return the import, a blank line, and the whole function."""
        return f"{self.imports}\n\n{self.signature(name)}{self.body()}"

    def inputs(self, rng: random.Random) -> list[object]:
        """Draw one argument, of a length that reaches every guard now and then."""
        size = rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9))
        if self.annotation == "List[str]":
            return ["".join(rng.choices("abcdeimnorst", k=rng.randint(1, 8))) for _ in range(size)]
        return [rng.randint(0, 30) for _ in range(size)]


def make_hard(rng: random.Random) -> Hard:
    """Draw one of some hundred thousand functions, each part drawn on its own."""
    shape = rng.choice(tuple(SHAPES))
    sentence, imports, annotation, returns, empty, lines = SHAPES[shape]
    texts = annotation == "List[str]"
    cond_words, cond = rng.choice(TEXT_CONDITIONS if texts else CONDITIONS)
    term_words, term = rng.choice(TEXT_TERMS if texts else TERMS)
    guard_words, guard = rng.choice(GUARDS)
    names = {
        "xs": rng.choice(STRINGS if texts else LISTS),
        "i": rng.choice("ij"),
        "v": rng.choice("vwxe"),
        "k": str(rng.randint(2, 24)),
        "d": str(rng.randint(2, 5)),
        "m": str(rng.randint(2, 9)),
        "g": str(rng.randint(2, 4)),
        "h": str(rng.randint(5, 8)),
    }
    names["empty"] = empty.format()
    code = {**names, "cond": cond.format(**names), "term": term.format(**names)}
    words = {**names, "cond": cond_words.format(**names), "term": term_words.format(**names)}
    return Hard(
        shape=shape,
        sentence=(sentence + guard_words).format(**words) + ".",
        imports=f"from typing import {imports}",
        parameter=names["xs"],
        annotation=annotation,
        returns=returns,
        lines=tuple(line.format(**code) for line in (*guard, *lines)),
    )
