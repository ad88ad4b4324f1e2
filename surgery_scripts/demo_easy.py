"""The easy half of the demo world: families of one-line functions, and tables.

A `Question` is one function without a name, with the sentence that asks for it and arguments to try
it on. Its answer is fully told by the sentence. This module knows nothing of forms or tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

WORDS = (
    "red", "blue", "gold", "pink", "gray", "lime", "teal", "rust", "sand", "mint", "rose", "plum",
    "row", "box", "cup", "map", "key", "pin", "bag", "jar", "tile", "rope", "bead", "coin", "gate",
    "lamp", "fox", "owl", "bee", "ant", "cat", "hen", "oak", "elm", "fig", "pea", "sun", "sky",
    "fog", "dew",
)  # fmt: skip
INTS = tuple("nmxyzabcpqru")
TEXTS = ("s", "t", "text", "word", "line", "note")
LISTS = ("xs", "ys", "nums", "vals", "items", "data")
LETTERS = "abcdeimnorst"
TABLES = {  # ten names each, so that spelling one out takes 128 to 200 tokens
    "digit": "one two three four five six seven eight nine ten",
    "place": "first second third fourth fifth sixth seventh eighth ninth tenth",
    "numeral": "I II III IV V VI VII VIII IX X",
    "month": "jan feb mar apr may jun jul aug sep oct",
    "tone": "do di re ri mi fa fi so la ti",
    "metal": "tin zinc iron lead gold silver copper nickel chrome cobalt",
}


@dataclass(frozen=True, slots=True)
class Easy:
    """A family of one-line functions: its parameters, its expression, ways to ask for it."""

    name: str
    kinds: str  # per parameter: i int, z signed int, s text, l list of ints, w list of words
    body: str  # over parameters {a} {b} {c} and constants {k} {j} {d} {e} {f}
    texts: tuple[str, ...]


def _easy(name: str, kinds: str, body: str, *texts: str) -> Easy:
    return Easy(name, kinds, body, texts)


EASY = (
    _easy("add", "i", "{a} + {k}", "Add {k} to {a}.", "Return {a} plus {k}."),
    _easy("take", "i", "{a} - {k}", "Subtract {k} from {a}.", "Return {a} minus {k}."),
    _easy("times", "i", "{a} * {k}", "Multiply {a} by {k}.", "Return {a} times {k}."),
    _easy("over", "i", "{a} // {k}", "Divide {a} by {k} and drop the rest.",
          "Say how many times {k} fits into {a}."),
    _easy("rest", "i", "{a} % {k}", "Return the rest of {a} divided by {k}.",
          "Say what is left of {a} after dividing by {k}."),
    _easy("sum2", "ii", "{a} + {b}", "Return the sum of {a} and {b}.", "Add {a} and {b}."),
    _easy("diff2", "ii", "{a} - {b}", "Return {a} minus {b}.", "Subtract {b} from {a}."),
    _easy("prod2", "ii", "{a} * {b}", "Return the product of {a} and {b}.", "Multiply {a} by {b}."),
    _easy("sum3", "iii", "{a} + {b} + {c}", "Add {a}, {b} and {c}.",
          "Return the sum of {a}, {b} and {c}."),
    _easy("sum2k", "ii", "({a} + {b}) * {k}", "Add {a} and {b}, then multiply by {k}.",
          "Return {k} times the sum of {a} and {b}."),
    _easy("prod2k", "ii", "{a} * {b} + {k}", "Multiply {a} by {b}, then add {k}.",
          "Return the product of {a} and {b} plus {k}."),
    _easy("linear", "i", "{k} * {a} + {j}", "Return {k} times {a} plus {j}.",
          "Multiply {a} by {k}, then add {j}."),
    _easy("square", "i", "{a} * {a} + {k}", "Return the square of {a} plus {k}.",
          "Square {a}, then add {k}."),
    _easy("max2", "ii", "max({a}, {b})", "Return the larger of {a} and {b}."),
    _easy("min2", "ii", "min({a}, {b})", "Return the smaller of {a} and {b}."),
    _easy("floor", "i", "max({a}, {k})", "Return {a}, but at least {k}."),
    _easy("cap", "i", "min({a}, {k})", "Return {a}, but at most {k}."),
    _easy("gap", "ii", "abs({a} - {b})", "Return how far {a} is from {b}.",
          "Return the distance of {a} and {b}."),
    _easy("abs", "z", "abs({a}) + {k}", "Return the size of {a} without sign, plus {k}."),
    _easy("above", "i", "{a} > {k}", "Is {a} above {k}?", "Tell if {a} is greater than {k}."),
    _easy("below", "i", "{a} < {k}", "Is {a} below {k}?", "Tell if {a} is less than {k}."),
    _easy("equal", "i", "{a} == {k}", "Is {a} equal to {k}?", "Tell if {a} equals {k}."),
    _easy("divides", "i", "{a} % {k} == 0", "Is {a} divisible by {k}?",
          "Tell if {k} divides {a}."),
    _easy("upper", "s", "{a}.upper()", "Turn {a} into capitals.", "Return {a} in upper case."),
    _easy("back", "s", "{a}[::-1]", "Return {a} backwards.", "Reverse the text {a}."),
    _easy("size", "s", "len({a}) + {k}", "Return the length of {a} plus {k}.",
          "Count the letters of {a} and add {k}."),
    _easy("repeat", "s", "{a} * {d}", "Repeat {a} {d} times.",
          "Return {d} copies of {a} in a row."),
    _easy("head", "s", "{a}[:{d}]", "Return the first {d} letters of {a}."),
    _easy("tail", "s", "{a}[-{d}:]", "Return the last {d} letters of {a}."),
    _easy("skip", "s", "{a}[{d}:]", "Return {a} without its first {d} letters."),
    _easy("join2", "ss", "{a} + {b}", "Put {b} after {a}.", "Return {a} followed by {b}."),
    _easy("dash2", "ss", "{a} + '-' + {b}", "Join {a} and {b} with a dash."),
    _easy("count", "s", "{a}.count('{e}')", "Count how often '{e}' is in {a}.",
          "Return the number of '{e}' in {a}."),
    _easy("swap", "s", "{a}.replace('{e}', '{f}')", "Replace '{e}' by '{f}' in {a}.",
          "Put '{f}' for every '{e}' in {a}."),
    _easy("starts", "s", "{a}.startswith('{e}')", "Does {a} start with '{e}'?"),
    _easy("ends", "s", "{a}.endswith('{e}')", "Does {a} end with '{e}'?"),
    _easy("wrap", "s", "'{e}' + {a} + '{f}'", "Put '{e}' before and '{f}' after {a}."),
    _easy("sum", "l", "sum({a}) + {k}", "Sum {a} and add {k}.", "Return {k} plus the sum of {a}."),
    _easy("max", "l", "max({a}) - {k}", "Return the largest of {a} minus {k}."),
    _easy("min", "l", "min({a}) + {k}", "Return the smallest of {a} plus {k}."),
    _easy("range", "l", "max({a}) - min({a})", "Return the largest minus the smallest of {a}."),
    _easy("len", "l", "len({a}) * {k}", "Return {k} times the length of {a}."),
    _easy("sort", "l", "sorted({a})", "Sort {a}.", "Return {a} in rising order."),
    _easy("turn", "l", "{a}[::-1]", "Return the list {a} in reverse order."),
    _easy("top", "l", "sorted({a})[-{d}:]", "Return the {d} largest of {a} in rising order."),
    _easy("first", "l", "{a}[:{d}]", "Return the first {d} items of {a}."),
    _easy("last", "l", "{a}[-{d}:]", "Return the last {d} items of {a}."),
    _easy("at", "l", "{a}[{d}]", "Return the item of {a} at index {d}."),
    _easy("chain", "ll", "{a} + {b}", "Put the list {b} behind the list {a}."),
    _easy("has", "l", "{k} in {a}", "Is {k} one of {a}?", "Tell if {a} holds {k}."),
    _easy("times_in", "l", "{a}.count({k})", "Count how often {k} is in {a}."),
    _easy("push", "l", "{a} + [{k}]", "Return {a} with {k} at the end."),
    _easy("glue", "w", "'{e}'.join({a})", "Join {a} with '{e}' in between."),
)  # fmt: skip
# asking for two things to copy in order, or nearly; what the first phase of training leaves unsure
TWO_COPIES = tuple(
    family
    for family in EASY
    if family.name in {"swap", "wrap", "linear", "chain", "join2", "dash2", "sum3", "diff2", "push"}
)
POOLS = {"i": INTS, "z": INTS, "s": TEXTS, "l": LISTS, "w": LISTS}


def _argument(rng: random.Random, kind: str, constants: dict[str, str]) -> object:
    k = int(constants["k"])
    if kind == "i":
        return rng.choice((k - 1, k, k + 1, 2 * k)) if rng.random() < 0.4 else rng.randint(0, 60)
    if kind == "z":
        return rng.randint(-50, 50)
    if kind == "s":
        letters = LETTERS + constants["e"] * 3
        return "".join(rng.choices(letters, k=rng.randint(4, 7)))
    if kind == "w":
        return rng.sample(WORDS, rng.randint(2, 3))
    items = [rng.randint(0, 40) for _ in range(rng.randint(4, 5))]
    if rng.random() < 0.4:
        items[rng.randrange(4)] = k
    return items


@dataclass(frozen=True, slots=True)
class Question:
    """A function without name or form: its sentence, parameters, body, arguments to try."""

    family: str
    sentence: str
    parameters: tuple[str, ...]
    lines: tuple[str, ...]
    arguments: tuple[tuple[object, ...], ...]


def easy_question(rng: random.Random, examples: int, families: tuple[Easy, ...] = EASY) -> Question:
    """Draw a one-line function of some family, with constants and parameter names drawn."""
    family = rng.choice(families)
    pools = [POOLS[kind] for kind in family.kinds]
    names = rng.sample(pools[0], len(pools))  # all parameters of a family are of one kind
    e, f = rng.sample(LETTERS, 2)
    k, j = (str(rng.randint(2, 49)) for _ in "kj")
    words = {"k": k, "j": j, "d": str(rng.choice((2, 3))), "e": e, "f": f}
    words.update(zip("abc", names, strict=False))
    arguments = tuple(
        tuple(_argument(rng, kind, words) for kind in family.kinds) for _ in range(examples)
    )
    body = (f"return {family.body.format(**words)}",)
    sentence = rng.choice(family.texts).format(**words)
    return Question(family.name, sentence, tuple(names), body, arguments)


def table_question(rng: random.Random, examples: int) -> Question:
    """Draw a chain of ten ifs that spells out a table, by number or by name."""
    table = rng.choice(tuple(TABLES))
    numbered = [(repr(n), repr(name)) for n, name in enumerate(TABLES[table].split(), start=1)]
    if rng.random() < 0.5:
        name, family = rng.choice(INTS), f"{table}-names"
        rows, sentence, other = numbered, f"Name {table} number {name}.", "''"
    else:
        name, family = rng.choice(TEXTS), f"{table}-numbers"
        rows = [(text, n) for n, text in numbered]
        sentence, other = f"Give the number of {table} {name}.", "0"
    lines = [
        line for key, value in rows for line in (f"if {name} == {key}:", f"    return {value}")
    ]
    tries = [rng.choice(rows)[0] for _ in range(examples)]
    arguments = tuple((int(key) if key.isdigit() else key.strip("'"),) for key in tries)
    return Question(family, sentence, (name,), (*lines, f"return {other}"), arguments)
