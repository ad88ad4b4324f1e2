from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_anchorgate.sandbox import emptying, isolation
from pytest_anchorgate.sandbox.limits import MIB


@pytest.fixture
def work(tmp_path):
    directory = tmp_path / "work"
    directory.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (outside / "kept").chmod(0o600)
    yield directory
    assert (outside / "kept").read_text() == "kept"
    assert (outside / "kept").stat().st_mode & 0o777 == 0o600
    assert outside.stat().st_mode & 0o777 == 0o755


def locked(work, mode):
    (work / "a" / "b").mkdir(parents=True)
    (work / "a" / "b" / "f").write_text("")
    (work / "a" / "b").chmod(mode)
    (work / "a").chmod(mode)


def deep(work, mode=0o755):
    """Make a tree deeper than a path may be long, and than Python may recurse."""
    at = os.open(work, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d" * 200, dir_fd=at)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=at)
        os.fchmod(below, mode)
        os.close(at)
        at = below
    os.close(at)


def linked(work):
    (work / "directory").symlink_to(work.parent / "outside")
    (work / "file").symlink_to(work.parent / "outside" / "kept")
    (work / "nowhere").symlink_to("/nonexistent")
    (work / "loop").symlink_to(work)
    (work / "sub").mkdir()
    (work / "sub" / "directory").symlink_to(work.parent / "outside")
    (work / "sub").chmod(0)


def odd(work):
    os.mkfifo(work / "pipe")
    (work / "\udcff\n").write_text("")
    (work / "read only").write_text("")
    (work / "read only").chmod(0)
    (work / ".hidden").mkdir()
    for number in range(300):
        (work / str(number)).write_text("")


TREES = {
    "nothing": lambda work: None,
    "directories without any right": lambda work: locked(work, 0),
    "directories that cannot be written": lambda work: locked(work, 0o500),
    "directories that cannot be entered": lambda work: locked(work, 0o600),
    "a deep tree": deep,
    "a deep tree of locked directories": lambda work: deep(work, 0),
    "links to the outside": linked,
    "odd names and kinds": odd,
    "itself without any right": lambda work: (odd(work), work.chmod(0)),
}


@pytest.mark.parametrize("build", TREES.values(), ids=TREES)
def test_a_directory_is_emptied_whatever_it_holds(work, build):
    build(work)
    emptying.empty(str(work))
    assert list(work.iterdir()) == []


EMPTIED = """
import json, os, sys
from pytest_anchorgate.sandbox import emptying
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
os.chdir(sys.argv[1])
{tree}
os.chdir("/")
emptying.empty(sys.argv[1])
print(json.dumps(os.listdir(sys.argv[1])))
"""
TREES_OF_NOBODY = {
    "a locked directory": "os.makedirs('d/e'); os.chmod('d', 0)",
    "locked directories": "os.makedirs('d/e/f'); os.chmod('d/e', 0); os.chmod('d', 0)",
    "a directory that cannot be written": "os.makedirs('d/e'); os.chmod('d', 0o500)",
    "a file in a locked directory": "os.mkdir('d'); open('d/f', 'w'); os.chmod('d', 0o100)",
    "a deep tree": "for _ in range(300): os.mkdir('d' * 99); os.chdir('d' * 99)",
    "a deep tree of locked directories": "for k in range(300): os.mkdir('d' * 99); "
    "os.chdir('d' * 99); k and os.chmod('..', 0o100)",
    "a link in a locked directory": "os.mkdir('d'); os.symlink('/', 'd/l'); os.chmod('d', 0o500)",
}


@pytest.fixture
def reachable():
    """Return a directory that every user may enter, which pytest's own are not."""
    directory = tempfile.mkdtemp()
    os.chmod(directory, 0o1777)  # noqa: PTH101
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.parametrize("owned", [True, False], ids=["its own", "another's"])
@pytest.mark.parametrize("tree", TREES_OF_NOBODY.values(), ids=TREES_OF_NOBODY)
def test_a_directory_is_emptied_without_privileges(reachable, tree, owned):
    """As the server of the namespaces tier must, in a /tmp that is root's."""
    source = EMPTIED.format(tree=tree)
    if os.geteuid() != 0:
        source = source.replace("\nos.set", "\n# os.set")
    elif owned:
        os.chown(reachable, 65534, 65534)
    done = subprocess.run([sys.executable, "-c", source, reachable], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == []


def test_a_directory_keeps_its_mode_where_it_is_anothers(work, monkeypatch):
    odd(work)
    work.chmod(0o750)
    monkeypatch.setattr(os, "getuid", lambda: 4321)
    emptying.empty(str(work))
    assert work.stat().st_mode & 0o7777 == 0o750
    assert list(work.iterdir()) == []


def test_what_cannot_be_deleted_is_an_error(work, monkeypatch):
    def refuse(path):
        raise PermissionError(1, "no", path)

    (work / "f").write_text("")
    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(PermissionError):
        emptying.empty(str(work))
    monkeypatch.undo()


CHANGES = {
    "a file": lambda work: (work / "f").write_text(""),
    "a directory": lambda work: (work / "d").mkdir(),
    "a link": lambda work: (work / "l").symlink_to("x"),
    "its mode": lambda work: work.chmod(0o711),
    "a file made and removed": lambda work: ((work / "f").write_text(""), (work / "f").unlink()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_a_directory_is_seen(work, change):
    before = isolation._state(str(work))
    assert isolation._state(str(work)) == before
    list(work.iterdir())
    assert isolation._state(str(work)) == before
    CHANGES[change](work)
    assert isolation._state(str(work)) != before


LIMITED = """
import json, resource, sys
from pytest_anchorgate.sandbox import isolation
isolation.limit(json.loads(sys.argv[1]), own_user=sys.argv[2] == "own")
names = ("CORE", "CPU", "FSIZE", "NOFILE", "NPROC", "AS")
print(json.dumps({n: resource.getrlimit(getattr(resource, "RLIMIT_" + n)) for n in names}))
"""
LIMIT = {"cpu_s": 2.5, "memory_bytes": 2048 * MIB, "file_bytes": MIB, "processes": 64}


def limits_of(job, user="own", **soft):
    def lower():
        for name, value in soft.items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))

    arguments = [sys.executable, "-c", LIMITED, json.dumps(job), user]
    return json.loads(subprocess.check_output(arguments, preexec_fn=lower))


def test_limits_are_set_for_the_process():
    made = limits_of(LIMIT)
    assert made["CORE"] == [0, 0]
    assert made["CPU"] == [3, 4]
    assert made["FSIZE"] == [MIB, MIB]
    assert made["NOFILE"] == [256, 256]
    assert made["NPROC"] == [64, 64]
    assert made["AS"] == [2048 * MIB, 2048 * MIB + isolation.HEADROOM]


def test_a_user_with_other_processes_has_room_for_them():
    assert limits_of(LIMIT, "shared")["NPROC"] == [isolation.SHARED_PROCESSES] * 2
    more = LIMIT | {"processes": 2 * isolation.SHARED_PROCESSES}
    assert limits_of(more, "shared")["NPROC"] == [2 * isolation.SHARED_PROCESSES] * 2


def test_a_lower_limit_of_the_machine_stands():
    made = limits_of(LIMIT, CPU=2, NOFILE=100, FSIZE=1000)
    assert (made["CPU"], made["NOFILE"], made["FSIZE"]) == ([2, 2], [100, 100], [1000, 1000])


@settings(max_examples=25)
@given(st.floats(0.001, 1e6))
def test_the_kernel_never_ends_a_process_before_its_time(cpu_s):
    set_to = {}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(resource, "setrlimit", lambda which, pair: set_to.update({which: pair}))
        isolation.limit(LIMIT | {"cpu_s": cpu_s}, own_user=True)
    assert set_to[resource.RLIMIT_CPU][0] >= cpu_s
