"""The journal, and a promotion that is killed at each of its steps or finds the disk full."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_anchorgate.errors import AnchorgateError, PromotionError
from pytest_anchorgate.ledger import Event, append_attempt
from pytest_anchorgate.surgery.journal import (
    FILE,
    Direction,
    Journal,
    leftovers,
    read_journal,
    remove_journal,
    write_journal,
)
from tests.attempts import DIGESTS, TEXT, attempts
from tests.promotions import CONTENT, World, certificate, line, production

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Only when xdist's threads run beside: what is forked here uses none of them.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
KILLED, REFUSED = 9, 7


# The file


@settings(max_examples=30, deadline=None)  # disks
@given(
    st.builds(
        Journal,
        direction=st.sampled_from(Direction),
        source=TEXT,
        name=TEXT,
        sha256=DIGESTS,
        new=st.booleans(),
        keep=st.booleans(),
        old_production=st.none() | st.binary(),
        new_production=st.binary(),
        old_certificate=st.none() | st.binary(),
        new_certificate=st.none() | st.binary(),
        attempts=st.integers(0, 2**53),
        attempt=attempts(),
        revert=st.none() | attempts(),
        after=st.none() | TEXT,
        root=TEXT,
    )
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, journal: Journal
) -> None:
    packs = tmp_path_factory.mktemp("packs")
    assert (read_journal(packs), leftovers(packs)) == (None, False)
    write_journal(packs, journal)
    assert (read_journal(packs), leftovers(packs)) == (journal, True)
    remove_journal(packs)
    remove_journal(packs)
    assert list(packs.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"Input data was truncated"),
        (b"{}", r"missing required field `source`"),
        (b'{"direction": "up"}', r"Invalid enum value 'up' - at `\$.direction`"),
        (b'{"party": 1}', r"unknown field `party`"),
        (b'{"source": "\xff"}', r"can't decode byte 0xff|JSON is malformed"),
    ],
)
def test_what_is_no_journal_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    world = World(tmp_path).begin()
    world.write(f"packs/{FILE}", content)
    before = world.files()
    for use in (world.recover, world.promote):
        with pytest.raises(
            PromotionError,
            match=rf"promotion.json: is no journal .*: .*{said}\. "
            r"See that production.toml and its certificate belong toge",
        ) as caught:
            use()  # fmt: skip
        assert "\n" not in str(caught.value)
    assert world.files() == before


def test_a_directory_in_its_place(tmp_path: Path) -> None:
    world = World(tmp_path).begin()
    (world.packs / FILE).mkdir()
    with pytest.raises(PromotionError, match=r"promotion.json: cannot be read: Is a directory\. "):
        world.recover()


# What is killed or refused


def plain(world: World) -> Callable[[], None]:
    return world.promote


def first(world: World) -> Callable[[], None]:
    for name in ("v1.planck", "production.toml", "certificates/v1.json"):
        (world.packs / name).unlink()
    return world.promote


def copied(world: World) -> Callable[[], None]:
    append_attempt(world.packs / "ledger.jsonl", line("v1", Event.GATE, production=False))
    world.write("packs/certificates/v2.json", certificate("v2").replace(b"none", b"some"))
    return lambda: world.promote(keep=True, after="true")


def moved_to_another_file_system(world: World) -> Callable[[], None]:
    return lambda: elsewhere(world.promote)


def lying_there(world: World) -> Callable[[], None]:
    world.write("packs/v2.planck", CONTENT["v2"])
    return lambda: world.promote(source=world.packs / "v2.planck")


def reverted(world: World) -> Callable[[], None]:
    world.write("packs/v2.planck", CONTENT["v2"])
    world.write("packs/certificates/v2.json", certificate("v2"))
    world.write("packs/production.toml", production("v2", previous="v1.planck"))
    append_attempt(world.packs / "ledger.jsonl", line("v2"))
    source, made = world.packs / "v1.planck", line("v1", Event.REVERT)
    return lambda: world.promote("v1", source=source, attempt=made, certificate=None)


def failing(world: World) -> Callable[[], None]:
    return lambda: elsewhere(lambda: world.promote(after="false"))


def failing_revert(world: World) -> Callable[[], None]:
    reverted(world)
    source, made = world.packs / "v1.planck", line("v1", Event.REVERT)
    return lambda: world.promote("v1", source=source, attempt=made, certificate=None, after="false")


WAYS = (plain, first, copied, moved_to_another_file_system, lying_there, reverted)
FAILING = (failing, failing_revert)


def elsewhere(act: Callable[[], None]) -> None:
    """Do what is done while the work directory lies on another file system."""
    rename = os.rename

    def refuse(source: Path, target: Path) -> None:
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        act()


class Torn:
    """A file that is written in two halves, with a step between them."""

    def __init__(self, file: Any, step: Callable[[], None]) -> None:
        self.file, self.step = file, step

    def write(self, content: bytes) -> None:
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        self.step()
        self.file.write(content[len(content) // 2 :])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> Torn:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


@contextlib.contextmanager
def at_step(trouble: Callable[[int], None]) -> Iterator[None]:
    """Call ``trouble`` with its number before each step that changes the disk."""
    count = itertools.count(1)

    def step() -> None:
        trouble(next(count))

    def before(real: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*arguments: Any, **named: Any) -> Any:
            step()
            return real(*arguments, **named)

        return stepped

    real_open, io_open = os.open, io.open

    def os_opened(path: Any, flags: int, *rest: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            step()
        return real_open(path, flags, *rest)

    def io_opened(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if not set(mode) & set("wxa+"):
            return io_open(file, mode, *rest, **named)
        step()
        return Torn(io_open(file, mode, *rest, **named), step)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "rename", "unlink", "mkdir", "rmdir", "write", "ftruncate"):
            patch.setattr(os, name, before(getattr(os, name)))
        patch.setattr(os, "fsync", lambda fd: step())  # no power is cut here
        patch.setattr(os, "open", os_opened)
        patch.setattr(io, "open", io_opened)
        yield


def killed_at(k: int, act: Callable[[], object]) -> bool:
    """Whether a process that is killed before its k-th step comes to its end all the same."""
    pid = os.fork()
    if pid:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status in (0, KILLED, REFUSED), status
        return status != KILLED
    status = 1
    try:
        with at_step(lambda step: os._exit(KILLED) if step == k else None):
            act()
        status = 0
    except AnchorgateError:
        status = REFUSED
    finally:
        os._exit(status)


def begin(path: Path, way: Callable[[World], Callable[[], None]]) -> tuple[World, Any]:
    """Write a world anew, and return it with what is to be done in it."""
    for old in path.rglob("*"):
        if old.is_file():
            old.unlink()
    world = World(path).begin()
    return world, way(world)


def ends(path: Path, way: Callable[[World], Callable[[], None]]) -> list[dict[str, Any]]:
    """Return the two worlds that there may be in the end, the old one first."""
    world, act = begin(path, way)
    old = world.files()
    with at_step(lambda _: None), contextlib.suppress(PromotionError):
        act()
    assert not leftovers(world.packs)
    return [old, world.files()]


@pytest.mark.parametrize("way", [*WAYS, *FAILING])
def test_a_kill_at_any_step_leaves_one_world_or_the_other(
    tmp_path: Path, way: Callable[[World], Callable[[], None]]
) -> None:
    allowed, seen = ends(tmp_path / "ends", way), []
    for k in itertools.count(1):
        world, act = begin(tmp_path / "world", way)
        if killed_at(k, act):
            break
        world.require_sound()
        begun = (world.packs / FILE).exists()
        with at_step(lambda _: None):
            said = world.recover()
        assert len(said) == begun
        world.require_sound()
        seen.append(allowed.index(world.files()))
    assert k > 20
    assert seen == sorted(seen)  # from one step on there is no way back
    assert set(seen) == {0, 1}
    assert world.files() == allowed[1]


@settings(max_examples=25, deadline=None)  # processes
@given(
    st.sampled_from([*WAYS, *FAILING]), st.integers(1, 60), st.lists(st.integers(1, 40), max_size=3)
)
def test_recovery_may_be_killed_as_often_as_it_is_begun(
    tmp_path_factory: pytest.TempPathFactory,
    way: Callable[[World], Callable[[], None]],
    k: int,
    more: list[int],
) -> None:
    path = tmp_path_factory.mktemp("killed")
    allowed = ends(path / "ends", way)
    world, act = begin(path / "world", way)
    killed_at(k, act)
    for j in more:
        killed_at(j, world.recover)
        world.require_sound()
    with at_step(lambda _: None):
        world.recover()
    assert world.files() in allowed


@pytest.mark.parametrize("way", [plain, copied, reverted, failing])
def test_a_disk_that_is_full_for_a_moment_leaves_the_old_world(
    tmp_path: Path, way: Callable[[World], Callable[[], None]]
) -> None:
    old, new = ends(tmp_path / "ends", way)
    for k in itertools.count(1):
        world, act = begin(tmp_path / "world", way)
        told, steps = refused(act, lambda step, k=k: step == k)
        if steps < k:
            break
        assert told.count("\n") == 0
        world.require_sound()
        unfinished = "is neither finished nor undone: " in told
        assert (world.packs / FILE).exists() == unfinished
        with at_step(lambda _: None):
            world.recover()
        found = world.files()
        assert is_old(found, old) if told and not unfinished else found == new or unfinished
        assert is_old(found, old) or found == new


LEDGER = "packs/ledger.jsonl"


def is_old(found: dict[str, Any], old: dict[str, Any]) -> bool:
    """Whether a world is the old one, but for two lines that say what was done and undone."""
    more = len(found.get(LEDGER, ())) - len(old.get(LEDGER, ()))
    return found | {LEDGER: ()} == old | {LEDGER: ()} and more in (0, 2)


def refused(act: Callable[[], None], full: Callable[[int], bool]) -> tuple[str, int]:
    """Return what is said when some steps find the disk full, and how many steps there were."""
    steps = 0

    def trouble(step: int) -> None:
        nonlocal steps
        steps = step
        if full(step):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    told = ""
    with at_step(trouble):
        try:
            act()
        except AnchorgateError as error:
            told = str(error)
    return told, steps


@pytest.mark.parametrize("way", [plain, reverted, failing])
def test_a_disk_that_stays_full_is_recovered_from_once_there_is_room(
    tmp_path: Path, way: Callable[[World], Callable[[], None]]
) -> None:
    allowed = ends(tmp_path / "ends", way)
    for k in itertools.count(1):
        world, act = begin(tmp_path / "world", way)
        told, steps = refused(act, lambda step, k=k: step >= k)
        if steps < k:
            break
        assert told.count("\n") == 0
        world.require_sound()
        with at_step(lambda _: None):
            world.recover()
        assert world.files() in allowed or is_old(world.files(), allowed[0])


def test_unfinished_files_of_others_stay(tmp_path: Path) -> None:
    for k in itertools.count(1):
        world, act = begin(tmp_path, plain)
        assert not killed_at(k, act)
        if list(world.packs.glob(".production.toml.*.tmp")):
            break
    other = f"packs/.v3.planck.{'0' * 16}.tmp"
    world.write(other, b"somebody writes this")
    world.recover()
    assert [name for name in world.files() if name.endswith(".tmp")] == [other]
