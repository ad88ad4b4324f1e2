from __future__ import annotations

import pytest

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.production import Production, read_production, render_production

DIGEST = "0123456789abcdef" * 4


def test_no_file_is_no_production(tmp_path):
    assert read_production(tmp_path) is None


@pytest.mark.parametrize("name", ["demo-v1.planck", 'quote " and \\ and \u00e9.planck'])
@pytest.mark.parametrize("previous", ["", "demo-v0.planck"])
def test_what_is_written_is_read_back(tmp_path, name, previous):
    production = Production(pack=name, sha256=DIGEST, previous=previous)
    (tmp_path / "production.toml").write_text(render_production(production), "utf-8")
    assert read_production(tmp_path) == production


GOOD = {"pack": '"a.planck"', "sha256": f'"{DIGEST}"', "previous": '""'}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sha256": None}, "missing required field `sha256`"),
        ({"previous": None}, "missing required field `previous`"),
        ({"surprise": "1"}, "unknown field `surprise`"),
        ({"pack": "1"}, r"Expected `str`, got `int` - at `\$.pack`"),
        ({"pack": '"a'}, "production.toml: "),
        ({"pack": '""'}, "pack = '' is not a file within packs/"),
        ({"pack": '"../a.planck"'}, "pack = '../a.planck' is not a file within packs/"),
        ({"pack": '"/a.planck"'}, "pack = '/a.planck' is not a file within packs/"),
        ({"sha256": '"ABC"'}, "sha256 = 'ABC' is not a digest"),
    ],
)
def test_a_file_that_is_wrong_is_one_line(tmp_path, changed, said):
    fields = {key: value for key, value in (GOOD | changed).items() if value is not None}
    text = "".join(f"{key} = {value}\n" for key, value in fields.items())
    (tmp_path / "production.toml").write_text(text)
    with pytest.raises(PackError, match=said) as caught:
        read_production(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "production.toml"))
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "production.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PackError, match=r"production.toml: "):
        read_production(tmp_path)


def test_a_directory_in_its_place(tmp_path):
    (tmp_path / "production.toml").mkdir()
    with pytest.raises(PackError, match=r"cannot be read: Is a directory"):
        read_production(tmp_path)
