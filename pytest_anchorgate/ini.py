"""pytest's configuration file as text: which one it is, and settings put into it.

Everything that is there stays byte for byte. Knows nothing of pytest but its rules for finding
the file: https://docs.pytest.org/en/stable/reference/customize.html
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

from iniconfig import IniConfig, ParseError

from pytest_anchorgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    Settings = Mapping[str, Sequence[str]]

# Each file's section; pytest takes the first file that has its own, an empty one of the first
# four too. pyproject.toml has one of two sections, and those two are read differently.
SECTIONS = {
    "pytest.toml": "pytest",
    ".pytest.toml": "pytest",
    "pytest.ini": "pytest",
    ".pytest.ini": "pytest",
    "pyproject.toml": "",
    "tox.ini": "pytest",
    "setup.cfg": "tool:pytest",
}
_ALWAYS = frozenset({"pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"})
_LINE_END = re.compile(rb"\r?\n")


def find_ini(root: Path) -> Path | None:
    """Return the file in ``root`` that pytest takes its configuration from, if there is one.

    Raises `UsageError` for a file on the way there that cannot be read.
    """
    for name in SECTIONS:
        path = root / name
        if path.is_file() and is_ini(path, read_ini(path)):
            return path
    return None


def is_ini(path: Path, content: bytes) -> bool:
    """Say whether pytest takes its configuration from a file of this name and content."""
    return path.name in _ALWAYS or _section(path, content) is not None


def read_ini(path: Path) -> bytes:
    """Return the file's bytes, which are text; raises `UsageError` if they are not."""
    try:
        content = path.read_bytes()
        content.decode()
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{path}: cannot be read: {why}. Give a readable file.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8. Save it as UTF-8.") from None
    return content


def setting(path: Path, content: bytes, key: str) -> tuple[str, ...] | None:
    """Return the values of a list in the content of a configuration file, or None without it."""
    section = _section(path, content)
    if section is None:
        return None
    if path.suffix == ".toml":
        value: Any = _table(_parse_toml(path, content), section).get(key)
    else:
        try:
            value = IniConfig(str(path), content.decode()).get(section, key)
        except ParseError as error:
            raise UsageError(f"{error}. pytest cannot read it either: mend it.") from None
    if value is None:
        return None
    values = value.splitlines() if isinstance(value, str) else value
    return tuple(text.strip() for text in values if text.strip())


def with_settings(path: Path, content: bytes, settings: Settings) -> bytes:
    """Return the content of a configuration file with the settings that it lacks.

    They stand below the header of its section, which is added where it is missing. Content that
    has the first of the settings comes back as it is. Raises `UsageError` for a file that is
    not TOML, and for one whose section has no header line.
    """
    section = _section(path, content)
    there = _keys(path, content, section)
    if next(iter(settings)) in there:
        return content
    lacking = {key: values for key, values in settings.items() if key not in there}
    lines = _render(lacking, toml=path.suffix == ".toml")
    newline = _newline(content)
    if section is None:
        above = content and content.removesuffix(newline) + newline * 2
        return above + newline.join([f"[{SECTIONS[path.name]}]".encode(), *lines, b""])
    for end in _header_ends(path, content, section):
        gap = b"" if content[:end].endswith(b"\n") else newline
        new = content[:end] + gap + newline.join([*lines, b""]) + content[end:]
        if path.suffix != ".toml" or _has_only(content, new, section, lacking):
            return new
    raise UsageError(
        f"{path}: has no line [{section}] to write below. "
        f"Add to that table: {b', '.join(lines).decode()}."
    )


def render_ini(settings: Settings) -> bytes:
    """Return a ``pytest.ini`` of these settings."""
    return b"\n".join([b"[pytest]", *_render(settings, toml=False), b""])


def _render(settings: Settings, *, toml: bool) -> list[bytes]:
    lines: list[str] = []
    for key, values in settings.items():
        if toml:
            lines.append(f"{key} = {json.dumps(list(values), ensure_ascii=False)}")
        elif len(values) == 1:
            lines.append(f"{key} = {values[0]}")
        else:
            lines += [f"{key} =", *(f"    {value}" for value in values)]
    return [line.encode() for line in lines]


def _section(path: Path, content: bytes) -> str | None:
    """Return the name of the section that pytest reads, or None if the file has none."""
    if path.suffix != ".toml":
        section = SECTIONS[path.name]
        return section if any(_header_ends(path, content, section)) else None
    document = _parse_toml(path, content)
    if path.name != "pyproject.toml":
        return "pytest" if "pytest" in document else None
    table = document.get("tool", {}).get("pytest", {})
    if table.keys() - {"ini_options"}:
        return "tool.pytest"
    return "tool.pytest.ini_options" if "ini_options" in table else None


def _keys(path: Path, content: bytes, section: str | None) -> set[str]:
    if section is None:
        return set()
    if path.suffix == ".toml":
        return set(_table(_parse_toml(path, content), section))
    (start, *_) = _header_ends(path, content, section)
    body, *_ = re.split(rb"^\[", content[start:], maxsplit=1, flags=re.MULTILINE)
    return {key.decode() for key in re.findall(rb"^(\w+)[ \t]*[=:]", body, re.MULTILINE)}


def _header_ends(path: Path, content: bytes, section: str) -> Iterator[int]:
    """Yield where each line ends that may be the section's header."""
    start = 0
    while start < len(content):
        match = _LINE_END.search(content, start)
        end = match.end() if match else len(content)
        line = content[start:end].decode().rstrip("\r\n")
        if _is_header(line, section, toml=path.suffix == ".toml"):
            yield end
        start = end


def _is_header(line: str, section: str, *, toml: bool) -> bool:
    if not toml:
        return re.fullmatch(rf"\[{re.escape(section)}\]\s*([#;].*)?", line) is not None
    try:
        return line.lstrip().startswith("[") and _table(tomllib.loads(line), section) == {}
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        return False


def _has_only(old: bytes, new: bytes, section: str, settings: Settings) -> bool:
    """Say whether TOML became what it was with the settings and nothing else."""
    expected = tomllib.loads(old.decode())
    _table(expected, section).update({key: list(values) for key, values in settings.items()})
    try:
        return tomllib.loads(new.decode()) == expected
    except tomllib.TOMLDecodeError:
        return False


def _table(document: dict[str, Any], section: str) -> dict[str, Any]:
    for key in section.split("."):
        document = document[key]
    return document


def _parse_toml(path: Path, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}. pytest cannot read it either: mend it.") from None


def _newline(content: bytes) -> bytes:
    match = _LINE_END.search(content)
    return match[0] if match else b"\n"
