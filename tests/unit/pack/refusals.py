"""What the tests of malformed packs share."""

from __future__ import annotations

import pytest

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.format import read_pack


def header_of(path):
    """Return a safetensors file's header bytes and its data."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    return raw[8 : 8 + length], raw[8 + length :]


def write_raw(path, header, data=b""):
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    return path


def refused(path):
    """Read the pack, see it refused in one line that begins with its path, return the rest."""
    with pytest.raises(PackError) as caught:
        read_pack(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    assert line.endswith(".")
    return line.removeprefix(f"{path}: ")
