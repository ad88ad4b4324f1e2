"""Typed JSON lines: every fault becomes one line that names file, line and value.

Knows nothing of tasks: a caller brings the row type.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from pytest_anchorgate.errors import TaskFileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

T = TypeVar("T")

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_JSON_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a file that is not blank."""

    path: Path
    number: int
    text: bytes

    @property
    def where(self) -> str:
        """The ``file:line`` that messages begin with."""
        return f"{self.path}:{self.number}"


def read_lines(path: Path, *, option: str) -> list[Line]:
    """Return the lines of a plain or gzipped file; ``option`` is what named the file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{option} {path}: cannot be read: {why}. Name a task file.") from error
    return split_lines(content, path)


def split_lines(content: bytes, path: Path) -> list[Line]:
    """Return the lines of a plain or gzipped file's content; ``path`` is what messages name."""
    if content.startswith(_GZIP_MAGIC):
        content = _unzip(path, content)
    lines = content.removeprefix(_BYTE_ORDER_MARK).split(b"\n")
    return [
        Line(path=path, number=number, text=text)
        for number, text in enumerate(lines, start=1)
        if text.strip()
    ]


def _unzip(path: Path, content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise TaskFileError(f"{path}: the gzip file is damaged: {error}. Get it again.") from error


def decode_rows(lines: list[Line], row_type: type[T]) -> Iterator[tuple[Line, T]]:
    """Decode published rows line by line; fields that ``row_type`` lacks are passed over."""
    decoder = msgspec.json.Decoder(row_type)
    for line in lines:
        try:
            row = decoder.decode(line.text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            row = _decode_loosely(line, row_type, error)
        yield line, row


def _decode_loosely(line: Line, row_type: type[T], error: Exception) -> T:
    """Read a row with the NaN and Infinity that Python writes, as EvalPlus's inputs hold."""
    if isinstance(error, msgspec.ValidationError):
        raise row_error(line, error) from error
    try:
        value = json.loads(line.text)
    except ValueError:
        raise row_error(line, error) from error
    return convert_row(line, value, row_type)


def field_names(line: Line) -> frozenset[str]:
    """Return the names of a row's fields, which tell what kind of file it is from."""
    try:
        value = json.loads(line.text)
    except ValueError:
        value = parse_object(line)
    return frozenset(value if isinstance(value, dict) else parse_object(line))


def parse_object(line: Line) -> dict[str, Any]:
    """Return the line's JSON object; a repeated key is refused, not overwritten."""
    try:
        value = msgspec.json.decode(line.text)  # stricter than json.loads: no NaN, no bad UTF-8
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise row_error(line, error) from error
    if not isinstance(value, dict):
        raise TaskFileError(
            f"{line.where}: {clip(value)} is not a JSON object. One row, one {{…}}."
        )

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise TaskFileError(
                    f"{line.where}: the key {key!r} occurs twice. Keep one of them."
                )
        return dict(pairs)

    json.loads(line.text, object_pairs_hook=unique)
    return value


def convert_row(line: Line, value: object, row_type: type[T]) -> T:
    """Turn a parsed object into its row type."""
    try:
        return msgspec.convert(value, row_type)
    except msgspec.ValidationError as error:
        raise row_error(line, error) from error


def row_error(line: Line, error: Exception) -> TaskFileError:
    """Return the one-line error for a row that does not decode, with the value at fault."""
    text = str(error)
    match = _JSON_PATH.search(text)
    found = _value_at(line, match["path"]) if match else None
    if match is None or found is None:
        row = clip(line.text.decode(errors="replace").strip())
        return TaskFileError(f"{line.where}: {text}: {row}. See docs/tasks.md.")
    field = match["path"].removeprefix(".")
    return TaskFileError(
        f"{line.where}: {field}: {text[: match.start()]}: {found}. See docs/tasks.md."
    )


def _value_at(line: Line, json_path: str) -> str | None:
    """Return the repr of what stands at a msgspec error path such as ``.tests[1]``."""
    try:
        value = json.loads(line.text)
        for key, index in _STEP.findall(json_path):
            value = value[key] if key else value[int(index)]
    except (ValueError, LookupError, TypeError):
        return None
    return clip(value)


def suite_number(line: Line, task_id: str) -> int:
    """Return the N of a published row's ``SUITE/N``."""
    _, _, number = task_id.rpartition("/")
    if not (number.isascii() and number.isdecimal()):
        raise TaskFileError(f"{line.where}: task_id {clip(task_id)} does not end in /N.")
    return int(number)


def clip(value: object, *, limit: int = 80) -> str:
    """Return a value's repr, shortened to fit into a message."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
