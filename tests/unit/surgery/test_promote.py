"""What a promotion changes, what it refuses, how it is undone; kills are in test_journal."""

from __future__ import annotations

import contextvars
import errno
import multiprocessing
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pytest_anchorgate.errors import (
    AnchorgateError,
    CertificateError,
    LedgerError,
    LockHeldError,
    PackError,
    PromotionError,
)
from pytest_anchorgate.ledger import Event, append_attempt, production_sha256, read_ledger
from pytest_anchorgate.pack.production import read_production
from pytest_anchorgate.surgery.journal import Direction, carry_out, read_journal, write_journal
from pytest_anchorgate.surgery.lock import lock
from pytest_anchorgate.surgery.prepare import pack_before, prepare
from tests.promotions import CONTENT, SHA256, World, certificate, line, production

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


FORK = multiprocessing.get_context("fork")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path).begin()


def ledger(world: World) -> list[tuple[str, str, bool]]:
    attempts = read_ledger(world.packs / "ledger.jsonl")
    return [(made.event.value, made.pack, made.production) for made in attempts]


PROMOTED = ("promotion", "v2.planck", True)


def test_pack_certificate_production_and_ledger_change_together(world: World) -> None:
    before = world.files()
    world.promote()
    assert world.said == []
    assert world.files() == before | {
        "packs/v2.planck": before.pop("work/merged.planck"),
        "packs/certificates/v2.json": certificate("v2"),
        "packs/production.toml": production("v2", previous="v1.planck"),
        "packs/ledger.jsonl": [line("v2")],
    }


def test_a_first_promotion_needs_nothing_but_the_pack(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.packs.mkdir()
    world.write("work/merged.planck", CONTENT["v2"])
    world.promote()
    assert world.files()["packs/production.toml"] == production("v2")
    world.require_sound()


def test_a_pack_that_is_there_stays_and_one_from_outside_may(world: World) -> None:
    world.write("packs/v2.planck", CONTENT["v2"])
    world.promote(source=world.packs / "v2.planck")
    world.write("elsewhere/v3.planck", CONTENT["v3"])
    world.promote("v3", source=world.path / "elsewhere" / "v3.planck", keep=True)
    files = world.files()
    assert files["packs/v2.planck"] == CONTENT["v2"]
    assert files["elsewhere/v3.planck"] == files["packs/v3.planck"] == CONTENT["v3"]
    assert files["work/merged.planck"] == CONTENT["v2"]


def test_another_file_system_gets_a_copy_and_the_source_goes_last(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.promote()
    moved = world.files()
    shutil.rmtree(world.path)
    world.begin()
    monkeypatch.setattr(os, "rename", other_file_system)
    world.promote(after="test -e work/merged.planck && cmp work/merged.planck packs/v2.planck")
    assert world.files() == moved


def other_file_system(source: Path, target: Path) -> None:
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


def test_what_is_in_production_already_is_said(world: World) -> None:
    before = world.files()
    world.promote("v1", source=world.packs / "v1.planck")
    assert world.said == [f"{world.packs}/production.toml: v1.planck is in production already"]
    assert world.files() == before


# Reverts


def revert(world: World, name: str, **more: Any) -> None:
    source, made = world.packs / f"{name}.planck", line(name, Event.REVERT)
    world.promote(name, source=source, attempt=made, certificate=None, **more)


def test_a_revert_names_the_pack_before_the_previous_one_if_the_ledger_does(world: World) -> None:
    world.promote()
    world.write("packs/v3.planck", CONTENT["v3"])
    world.promote("v3", source=world.packs / "v3.planck")
    revert(world, "v2")
    assert world.files()["packs/production.toml"] == production("v2")  # v1 came by hand
    append_attempt(world.packs / "ledger.jsonl", line("v1"))
    world.write("packs/production.toml", production("v1"))
    for name in ("v2", "v3"):
        world.promote(name, source=world.packs / f"{name}.planck")
    revert(world, "v2")
    assert world.files()["packs/production.toml"] == production("v2", previous="v1.planck")
    revert(world, "v1")
    assert ledger(world)[-1] == ("revert", "v1.planck", True)
    world.require_sound()


P, R = Event.PROMOTION, Event.REVERT


@pytest.mark.parametrize(
    ("history", "before"),
    [
        ([], ""),
        ([("v1", P)], ""),
        ([("v1", P), ("v2", P)], "v1.planck"),
        ([("v2", P), ("v1", R)], ""),
        ([("v1", P), ("v2", P), ("v3", P), ("v2", R)], "v1.planck"),
        ([("v3", P), ("v1", P), ("v2", P), ("v3", P), ("v1", R), ("v2", P)], "v1.planck"),
        ([("v1", P), ("v3", P), ("v2", P), ("v3", P)], "v3.planck"),
        ([("v1", P), ("v3", P), ("v1", R), ("v2", P), ("v3", P)], "v1.planck"),
    ],
)
def test_the_ledger_knows_what_came_before_v2(
    history: list[tuple[str, Event]], before: str
) -> None:
    gated = line("v3", Event.GATE, production=False)
    attempts = [made for name, event in history for made in (gated, line(name, event))]
    assert pack_before(attempts, SHA256["v2"]) == before


# Refusals


def other_pack(world: World) -> None:
    world.write("packs/v2.planck", b"other")


def other_bytes(world: World) -> None:
    world.write("work/merged.planck", CONTENT["v3"])


def no_pack(world: World) -> None:
    world.source.unlink()


def dangling(world: World) -> None:
    (world.packs / "v2.planck").symlink_to("nowhere")


def cut_ledger(world: World) -> None:
    world.write("packs/ledger.jsonl", b'{"eve')


def bad_production(world: World) -> None:
    world.write("packs/production.toml", b"pack = 3\n")


def same_stem(world: World) -> None:
    world.write("packs/old/v2.planck", CONTENT["v1"])
    toml = world.files()["packs/production.toml"].replace(b"v1.planck", b"old/v2.planck")
    world.write("packs/production.toml", toml)


def nothing(world: World) -> None:
    pass


OTHER = "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"


@pytest.mark.parametrize(
    ("change", "changed", "kind", "said"),
    [
        (other_pack, {}, PromotionError, rf"v2.planck: is another pack, with sha256 {OTHER}; this "
         rf"one has {SHA256['v2']}\. Give it another name\."),
        (other_bytes, {}, PromotionError, rf"merged.planck: has sha256 {SHA256['v3']}, "
         rf"{SHA256['v2']} was gated\. Gate it again\."),
        (no_pack, {}, PackError, r"merged.planck: cannot be read: No such file"),
        (dangling, {}, PackError, r"v2.planck: cannot be read: No such file"),
        (cut_ledger, {}, LedgerError, r"ledger.jsonl:1: was cut, and ends in '{\"eve'"),
        (bad_production, {}, PackError, r"production.toml: Expected `str`, got `int`"),
        (same_stem, {}, PromotionError, r"v2.json: is the certificate of old/v2.planck, which is "
         rf"in production with sha256 {SHA256['v1']}\. Give the new pack another name\."),
        (nothing, {"name": "../v2.planck"}, PromotionError, r"^\.\./v2.planck: is no name of "),
        (nothing, {"name": "/v2.planck"}, PromotionError, r"/v2.planck: is no name of a pack"),
        (nothing, {"name": "ledger.jsonl"}, PromotionError, r"ledger.jsonl: is no name of a pack "
         r"within packs/\. Give one as v2.planck\."),
        (nothing, {"certificate": certificate("v3")}, PromotionError, r"v2.json: is the certificate"
         rf" of a pack with sha256 {SHA256['v3']}, v2.planck has {SHA256['v2']}\. Gate that with "),
        (nothing, {"certificate": b"{}"}, CertificateError, r"v2.json: is no certificate: "),
        (lambda world: world.write("packs/certificates/v2.json", certificate("v3")),
         {"certificate": None}, PromotionError, rf"v2.json: .* {SHA256['v3']}, v2.planck has "),
        (nothing, {"after": "echo \udcff"}, PromotionError, r"\.promotion.json: cannot hold this "
         r"promotion: .*'\\udcff' in position 5.*\. Give names in Unicode\."),
    ],
)  # fmt: skip
def test_a_refusal_is_one_line_and_changes_nothing(
    world: World,
    change: Callable[[World], None],
    changed: dict[str, Any],
    kind: type[AnchorgateError],
    said: str,
) -> None:
    change(world)
    before = {path: path.is_symlink() or path.read_bytes() for path in all_files(world)}
    with pytest.raises(kind, match=said) as caught:
        world.promote(**changed)
    assert "\n" not in str(caught.value)
    assert before == {path: path.is_symlink() or path.read_bytes() for path in all_files(world)}


def all_files(world: World) -> list[Path]:
    return sorted(p for p in world.path.rglob("*") if p.is_symlink() or p.is_file())


def test_a_directory_that_is_not_there(world: World) -> None:
    before = world.files()
    with pytest.raises(
        PromotionError,
        match=r"sub/v2.planck: cannot be changed: No such file.*"
        r"sub/v2.planck is not promoted: v1.planck is in production, as before\.",
    ):
        world.promote(name="sub/v2.planck")  # fmt: skip
    assert world.files() == before


# The command that follows


def test_the_command_runs_at_the_root_when_all_is_in_place(world: World) -> None:
    seen = "pwd; cat packs/production.toml; tail -c 99 packs/ledger.jsonl; ls packs"
    world.promote(after=seen)
    assert world.said[0] == str(world.path)
    assert f'sha256 = "{SHA256["v2"]}"' in world.said
    assert any('"production":true' in said for said in world.said)
    assert "v2.planck" in world.said


@pytest.mark.parametrize(
    ("command", "how"),
    [
        ("echo no >&2; exit 3", "after_promote `echo no >&2; exit 3` exited with 3"),
        ("no-such-command\n", "after_promote `no-such-command` exited with 127"),
        ("kill -9 $$", "after_promote `kill -9 $$` exited with -9"),
        ("echo \0", "after_promote `echo \0` could not be started: embedded null byte"),
    ],
)
def test_when_it_fails_all_is_undone(world: World, command: str, how: str) -> None:
    before = world.files()
    with pytest.raises(PromotionError) as caught:
        world.promote(after=command)
    assert str(caught.value) == f"v2.planck: {how}, so v1.planck is in production, as before."
    attempts = read_ledger(world.packs / "ledger.jsonl")
    assert world.files() == before | {"packs/ledger.jsonl": world.files()["packs/ledger.jsonl"]}
    assert ledger(world) == [PROMOTED, ("revert", "v1.planck", True)]
    assert (attempts[-1].note, attempts[-1].decision) == (how, "")
    assert production_sha256(attempts) == SHA256["v1"]
    if "echo no" in command:
        assert world.said == ["no"]


def test_the_line_of_what_is_undone_has_what_was_measured_of_the_pack_before(world: World) -> None:
    append_attempt(world.packs / "ledger.jsonl", line("v1", Event.GATE, gained=4, production=False))
    for _ in range(2):  # within a second, with the same lines
        with pytest.raises(PromotionError, match="exited with 1"):
            world.promote(after="false")
    last = read_ledger(world.packs / "ledger.jsonl")[-1]
    assert (last.event, last.gained, last.sha256) == (Event.REVERT, 4, SHA256["v1"])
    assert ledger(world)[1:] == [PROMOTED, ("revert", "v1.planck", True)] * 2
    world.promote()
    assert production_sha256(read_ledger(world.packs / "ledger.jsonl")) == SHA256["v2"]


def test_a_first_promotion_that_is_undone_leaves_no_production(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.packs.mkdir()
    world.write("work/merged.planck", CONTENT["v2"])
    with pytest.raises(PromotionError, match="exited with 1, so no pack is in production, as bef"):
        world.promote(after="false")
    assert world.files().keys() == {"work/merged.planck", "packs/ledger.jsonl"}
    assert not (world.packs / "certificates").exists()
    assert ledger(world) == [PROMOTED, ("revert", "v2.planck", False)]


@pytest.mark.parametrize("keep", [True, False])
def test_on_another_file_system_too(
    world: World, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    monkeypatch.setattr(os, "rename", other_file_system)
    before = world.files()
    with pytest.raises(PromotionError, match="exited with 1"):
        world.promote(after="rm work/merged.planck; false", keep=keep)
    assert world.files() == before | {"packs/ledger.jsonl": world.files()["packs/ledger.jsonl"]}


def test_a_revert_is_undone_like_a_promotion(world: World) -> None:
    world.promote()
    with pytest.raises(PromotionError, match=r"v1.planck: after_promote .*, so v2.planck is in"):
        revert(world, "v1", after="false")
    assert ledger(world) == [PROMOTED, ("revert", "v1.planck", True), ("revert", "v2.planck", True)]
    world.require_sound()


def test_ctrl_c_ends_the_command_and_undoes_all(world: World) -> None:
    before = world.files()
    with pytest.raises(KeyboardInterrupt):
        world.promote(after=f"kill -INT {os.getpid()}; sleep 0.5 && touch work/orphan")
    assert world.said == ["v2.planck: is not promoted: v1.planck is in production, as before"]
    note = read_ledger(world.packs / "ledger.jsonl")[-1].note
    assert note.endswith("sleep 0.5 && touch work/orphan` was interrupted")
    time.sleep(0.6)
    assert world.files() == before | {"packs/ledger.jsonl": world.files()["packs/ledger.jsonl"]}


def test_a_kill_during_the_command_makes_recovery_run_it_again(world: World) -> None:
    promoter = "$(cut -d ' ' -f 4 /proc/$PPID/stat)"
    once = f"touch twice; kill -9 {promoter}; sleep 0.3; touch work/orphan"
    command = f"test -e twice || {{ {once}; }}; echo ran >> after.log"
    child = FORK.Process(target=world.promote, kwargs={"after": command})
    child.start()
    child.join(20)
    assert child.exitcode == -9
    world.require_sound()
    time.sleep(0.5)
    (said,) = world.recover()
    assert said == (
        f"{world.packs}/.promotion.json: the promotion of v2.planck was cut short, and is "
        "finished: v2.planck is in production"
    )
    assert world.files()["after.log"] == b"ran\n"
    assert "work/orphan" not in world.files()
    assert ledger(world) == [PROMOTED]


# Recovery


def cut_short(world: World, **changed: Any) -> None:
    """Leave a promotion as a kill right after its journal was written does."""
    journal = prepare(world.promotion(**changed), read_production(world.packs))
    write_journal(world.packs, journal)


def test_without_anything_left_nothing_is_done(world: World, tmp_path: Path) -> None:
    before = world.files()
    assert world.recover() == []
    assert World(tmp_path / "nowhere").recover() == []
    assert world.files() == before


def test_what_was_cut_short_is_finished_by_the_next_promotion(world: World) -> None:
    cut_short(world)
    world.write("work/v3.planck", CONTENT["v3"])
    world.promote("v3", source=world.path / "work" / "v3.planck")
    assert world.said == [
        f"{world.packs}/.promotion.json: the promotion of v2.planck was cut short, and is "
        "finished: v2.planck is in production"
    ]
    assert world.files()["packs/production.toml"] == production("v3", previous="v2.planck")
    assert ledger(world) == [PROMOTED, ("promotion", "v3.planck", True)]


def test_without_the_packs_bytes_it_is_undone(world: World) -> None:
    before = world.files()
    cut_short(world)
    world.source.unlink()
    (said,) = world.recover()
    del before["work/merged.planck"]
    assert f"is undone, as neither {world.packs}/v2.planck nor {world.source} has " in said
    assert said.endswith(f"sha256 {SHA256['v2']}: v1.planck is in production, as before")
    assert world.files() == before


def test_after_production_was_changed_by_hand_it_is_forgotten(world: World) -> None:
    cut_short(world)
    world.write("packs/production.toml", production("v3"))
    before = world.files()
    del before["packs/.promotion.json"]
    assert world.recover() == [
        f"{world.packs}/.promotion.json: the promotion of v2.planck was cut short, and is "
        "forgotten: production.toml was changed since"
    ]
    assert world.files() == before


def test_a_command_that_fails_in_recovery_undoes_it(world: World) -> None:
    before = world.files()
    cut_short(world, after="false")
    (said,) = world.recover()
    assert said.endswith(
        "was cut short, and is undone, as after_promote `false` exited with 1: v1.planck is in "
        "production, as before"
    )
    assert world.files() == before | {"packs/ledger.jsonl": world.files()["packs/ledger.jsonl"]}


def test_what_cannot_be_finished_yet_stays_to_be(world: World) -> None:
    cut_short(world)
    world.write("packs/ledger.jsonl", b"{")
    with pytest.raises(
        PromotionError,
        match=r"\.promotion.json: the promotion of v2.planck is "
        r"neither finished nor undone: .*ledger.jsonl:1: was cut.* The next gate, ",
    ):
        world.recover()  # fmt: skip
    world.require_sound()
    world.write("packs/ledger.jsonl", b"")
    assert world.files()["packs/production.toml"] == production("v2", previous="v1.planck")
    assert len(world.recover()) == 1
    assert ledger(world) == [PROMOTED]


def test_a_line_is_written_once_whatever_others_write(world: World) -> None:
    cut_short(world)
    journal = read_journal(world.packs)
    assert journal is not None
    carry_out(world.packs, journal)
    append_attempt(world.packs / "ledger.jsonl", line("v2", Event.GATE, production=False))
    assert len(world.recover()) == 1
    assert ledger(world) == [PROMOTED, ("gate", "v2.planck", False)]


def test_what_cannot_be_undone_yet_is_undone_later_without_the_command(world: World) -> None:
    before = world.files()
    path = "packs/certificates/v2.json"
    with pytest.raises(
        PromotionError,
        match=r"neither finished nor undone: .*v2.json: cannot be "
        r"changed: Is a directory\. Give room and permission\. The next gate",
    ):
        world.promote(after=f"echo >> ran; rm {path}; mkdir {path}; false")  # fmt: skip
    world.require_sound()
    (world.path / path).rmdir()
    (said,) = world.recover()
    assert said.endswith("was cut short, and is undone: v1.planck is in production, as before")
    files = world.files()
    assert files.pop("ran") == b"\n"
    assert files == before | {"packs/ledger.jsonl": files["packs/ledger.jsonl"]}
    assert ledger(world) == [PROMOTED, ("revert", "v1.planck", True)]


def test_a_gate_that_starts_during_a_promotion_goes_on(world: World) -> None:
    code = "import sys, pathlib; from pytest_anchorgate.surgery.promote import recover; "
    run = f"{code}recover(pathlib.Path('packs'), say=print); print('went on')"
    world.promote(after=f'{sys.executable} -c "{run}"')
    assert world.said == ["went on"]


def test_a_second_promotion_is_refused(world: World) -> None:
    with lock(world.packs, "anchorgate promote v2.planck"):
        world.promote()  # within the lock it may
    with lock(world.packs, "anchorgate promote v2.planck"):
        receiver, sender = FORK.Pipe(duplex=False)
        child = FORK.Process(target=second, args=(world, sender))
        child.start()
        assert receiver.recv() == (
            "LockHeldError",
            f"{world.packs}/.promotion.lock: held by pid {os.getpid()} (anchorgate promote "
            "v2.planck). Wait for it to end.",
        )
        child.join(20)


def second(world: World, sender: Any) -> None:
    try:
        contextvars.Context().run(  # a fork knows what its parent holds
            world.promote, "v3", source=world.packs / "v1.planck"
        )
    except LockHeldError as error:
        sender.send((type(error).__name__, str(error)))


def test_recovery_goes_back_where_going_back_was_begun(world: World) -> None:
    before = world.files()
    cut_short(world)
    journal = read_journal(world.packs)
    assert journal is not None
    write_journal(world.packs, msgspec.structs.replace(journal, direction=Direction.BACK))
    (said,) = world.recover()
    assert said.endswith("was cut short, and is undone: v1.planck is in production, as before")
    assert world.files() == before
