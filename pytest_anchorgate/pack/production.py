"""`packs/production.toml`: which pack is in production."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import msgspec

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.header import unreadable

FILE = "production.toml"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FORM = 'It reads: pack = "NAME.planck", sha256 = "<64 hex digits>", previous = "" or a pack'


class Production(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pack in production: its file within ``packs/``, its digest, and the pack before it.

    ``previous`` is empty for the first pack.
    """

    pack: str
    sha256: str
    previous: str


def read_production(packs_dir: Path) -> Production | None:
    """Return what ``production.toml`` in ``packs_dir`` says, or None where there is none.

    Raises `PackError` in one line for a file that is not exactly that.
    """
    path = packs_dir / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from None
    return parse_production(content, str(path))


def parse_production(content: bytes, where: str) -> Production:
    """Return what the content of a ``production.toml`` says; ``where`` begins each message.

    Raises `PackError` in one line for content that is not exactly that.
    """
    try:
        production = msgspec.toml.decode(content, type=Production)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PackError(f"{where}: {_first_line(error)}. {_FORM}.") from None
    _require_values(where, production)
    return production


def render_production(production: Production) -> str:
    """Return the text of ``production.toml``."""
    fields = msgspec.structs.asdict(production)
    return "".join(
        f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in fields.items()
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")


def _require_values(where: str, production: Production) -> None:
    name = PurePosixPath(production.pack)
    if not production.pack or name.is_absolute() or ".." in name.parts:
        raise PackError(
            f"{where}: pack = {production.pack!r} is not a file within packs/. {_FORM}."
        )
    if not _DIGEST.fullmatch(production.sha256):
        raise PackError(f"{where}: sha256 = {production.sha256!r} is not a digest. {_FORM}.")
