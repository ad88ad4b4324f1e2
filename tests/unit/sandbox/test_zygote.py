"""The zygote: what a program finds in it, how it is lost and made anew, and what it leaves."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy
import pytest

from pytest_anchorgate.sandbox import process
from pytest_anchorgate.sandbox.limits import Limits
from pytest_anchorgate.sandbox.outcome import Kind
from pytest_anchorgate.sandbox.process import Refused, Zygote, numpy_path
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.sandbox.tiers import TIERS, settle_tier
from pytest_anchorgate.sandbox.zygote import COMMON

REPOSITORY = Path(__file__).parents[3]
# The program's threads and children have this name, by which they are found in /proc.
NAMED = "import ctypes, os, time\nctypes.CDLL(None).prctl(15, b'{name}', 0, 0, 0)\n"
SLEEPS = NAMED + "time.sleep(60)"
FORKS = NAMED + "if not os.fork():\n  time.sleep(60)\n  os._exit(0)\n"
FORKS_AND_SLEEPS = FORKS + "time.sleep(60)"


class Impatient(Limits):
    wall_s = 0.6


QUICK = Impatient(cpu_s=0.5)


@pytest.fixture
def name():
    """Return the name of a test's processes; those that it left behind are ended."""
    name = f"ag{secrets.token_hex(5)}"
    yield name
    for pid in named(name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def state(pid):
    return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()


def named(name):
    """Return the living processes of that name."""
    found = []
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if comm.read_text().strip() == name and state(comm.parent.name)[0] != "Z":
                found.append(int(comm.parent.name))
    return found


def alive(pid):
    try:
        return state(pid)[0] not in "ZX"
    except OSError:
        return False


def waits_for(condition, seconds=1.5):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def family(pid):
    """Return a process and all below it."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
    return found


def zygote_of(sandbox):
    sandbox._started()
    return sandbox._zygote._process.pid


@pytest.fixture
def own(tier):
    """Return a sandbox of a test's own, which it may break; its processes end with it."""
    with Sandbox(tier) as sandbox:
        assert sandbox.run("x = 1", [], limits=QUICK).passed
        yield sandbox
        started = family(zygote_of(sandbox))
    assert waits_for(lambda: not any(map(alive, started)))


def victims(pid):
    servers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(servers) == 2
    return {"zygote": pid, "judges": int(servers[0]), "candidates": int(servers[1])}


VICTIMS = ("zygote", "judges", "candidates")
PATIENCE_S = 2.5  # for the last process of a killed zygote


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_zygote_killed_between_checks_leaves_checks_working(tier, victim, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Sandbox(tier) as sandbox:
        assert sandbox.run("x = 1", [], limits=QUICK).passed
        pid = zygote_of(sandbox)
        started = family(pid)
        os.kill(victims(pid)[victim], signal.SIGKILL)
        waits_for(lambda: not alive(pid), 0.3)
        program = "open('f', 'w').close()\ndef f(): return 1"
        outcome = sandbox.run(program, ["assert f() == 2"], entry_point="f", limits=QUICK)
        assert (outcome.kind, outcome.reason) == (Kind.ASSERTION, "assert 1 == 2")
        # without walls its servers need their parent no more
        assert (zygote_of(sandbox) == pid) is (victim == "zygote" and tier != "namespaces")
        assert len(list(tmp_path.iterdir())) == (tier != "namespaces")
    assert list(tmp_path.iterdir()) == []
    assert waits_for(lambda: not any(map(alive, started)), PATIENCE_S)


@contextlib.contextmanager
def killing(sandbox, name, times, victim="zygote"):
    """Kill the zygote each time that a process of the name appears, so many times."""
    killed = []

    def kill():
        while len(killed) < times and not over.wait(0.005):
            found = named(name)
            zygote = sandbox._zygote
            if found and zygote is not None and zygote._process.pid not in killed:
                with contextlib.suppress(OSError):
                    pid = zygote._process.pid
                    os.kill(victims(pid)[victim], signal.SIGKILL)
                    killed.append(pid)

    over = threading.Event()
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        over.set()
        killer.join()


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_zygote_killed_during_a_check_runs_it_again(own, name, victim):
    program = NAMED.format(name=name) + "time.sleep(0.3)\ndef f(): return 1"
    with killing(own, name, 1, victim) as killed:
        outcome = own.run(program, ["assert f() == 2"], entry_point="f", limits=QUICK)
    assert len(killed) == 1
    assert (outcome.kind, outcome.reason) == (Kind.ASSERTION, "assert 1 == 2")


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_zygote_killed_twice_takes_its_programs_with_it_and_is_no_verdict(
    own, tier, name, victim
):
    program = FORKS_AND_SLEEPS.format(name=name)
    with killing(own, name, 2, victim) as killed:
        outcome = own.run(program, [], limits=QUICK)
    if victim == "zygote" and tier != "namespaces":  # its servers need it no more
        assert (len(killed), outcome.kind) == (1, Kind.WALL)
    else:
        assert (len(killed), outcome.kind) == (2, Kind.ERROR)
        assert outcome.reason == "sandbox: the zygote died, twice."
    assert waits_for(lambda: not named(name), PATIENCE_S)
    assert own.run("x = 1", [], limits=QUICK).passed


def test_closing_ends_a_program_whose_zygote_is_dead(own, name):
    """A check that was interrupted while its zygote was being killed."""
    started = []

    def interrupt():
        assert waits_for(lambda: len(named(name)) == 2)
        started.extend(family(zygote_of(own)))
        os.kill(zygote_of(own), signal.SIGKILL)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    known = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupter.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            own.run(FORKS_AND_SLEEPS.format(name=name), [], limits=Limits(cpu_s=5.0))
    finally:
        signal.signal(signal.SIGINT, known)
        interrupter.join()
    own.close()
    assert waits_for(lambda: not named(name), PATIENCE_S)
    assert waits_for(lambda: not any(map(alive, started)), PATIENCE_S)


@pytest.mark.parametrize(
    "program", [SLEEPS, FORKS, FORKS_AND_SLEEPS], ids=["it", "a child", "both"]
)
def test_a_program_and_its_children_are_gone_when_its_outcome_is_there(own, name, program):
    own.run(program.format(name=name), [], limits=QUICK)
    assert named(name) == []


ESCAPES = {
    "a session of its own": "if not os.fork():\n  os.setsid()\n  time.sleep(60)\n  os._exit(0)\n",
    "a daemon": "if not os.fork():\n  os.setsid()\n  if os.fork():\n    os._exit(0)\n"
    "  time.sleep(60)\n  os._exit(0)\nos.wait()\n",
    "a family": "for _ in range(3):\n  os.fork() or os.setpgid(0, 0)\ntime.sleep(60)",
    "a program of the machine": "import subprocess\n"
    "subprocess.Popen(['sleep', '60'], start_new_session=True)\n",
    "a thread": "import threading\nthreading.Thread(target=time.sleep, args=(60,)).start()\n",
}


@pytest.mark.parametrize("program", ESCAPES.values(), ids=ESCAPES)
def test_no_child_outlives_its_program(own, tier, name, program):
    own.run(NAMED.format(name=name) + program, [], limits=QUICK)
    assert named(name) == []
    # the zygote, two servers (each behind the first process of its PID namespace), their next forks
    expected = 7 if tier == "namespaces" else 5
    assert waits_for(lambda: len(family(zygote_of(own))) == expected)


def test_many_programs_leave_no_process_descriptor_or_directory(tier, name, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kinds = [Kind.PASSED, Kind.EXCEPTION, Kind.EXIT, Kind.PASSED, Kind.SYNTAX]
    programs = ["x = 1", "1 / 0", "import os; os._exit(3)", FORKS.format(name=name), "def f(:"]
    with Sandbox(tier) as sandbox:
        sandbox.run("x = 1", [], limits=QUICK)
        before = open_descriptors()
        outcomes = [sandbox.run(program, [], limits=QUICK) for program in programs * 6]
        assert [outcome.kind for outcome in outcomes] == kinds * 6
        assert open_descriptors() == before
        assert len(list(tmp_path.iterdir())) == (tier != "namespaces")
    assert list(tmp_path.iterdir()) == []
    assert named(name) == []


def open_descriptors():
    return {entry.name for entry in Path("/proc/self/fd").iterdir() if entry.exists()}


def test_closing_twice_and_running_again_is_fine(tier):
    sandbox = Sandbox(tier)
    sandbox.close()
    assert sandbox.run("x = 1", [], limits=QUICK).passed
    started = family(zygote_of(sandbox))
    sandbox.close()
    sandbox.close()
    assert waits_for(lambda: not any(map(alive, started)))
    assert sandbox.run("x = 1", [], limits=QUICK).passed
    sandbox.close()


# Ctrl-C, and the end of the process that started all this.


@pytest.mark.parametrize("program", [SLEEPS, FORKS_AND_SLEEPS], ids=["alone", "with a child"])
def test_an_interrupt_leaves_nothing_and_the_next_run_works(own, name, program):
    started = []

    def interrupt():
        assert waits_for(lambda: named(name))
        started.extend(family(zygote_of(own)))
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    known = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupter.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            own.run(program.format(name=name), [], limits=QUICK)
    finally:
        signal.signal(signal.SIGINT, known)
        interrupter.join()
    assert len(started) > 4
    assert waits_for(lambda: not any(map(alive, started)))
    assert waits_for(lambda: not named(name))
    outcome = own.run("def f(): return 1", ["assert f() == 2"], entry_point="f", limits=QUICK)
    assert outcome.reason == "assert 1 == 2"


HOST = """
import sys
from pytest_anchorgate.sandbox.limits import Limits
from pytest_anchorgate.sandbox.run import Sandbox
with Sandbox(sys.argv[1]) as sandbox:
    sandbox.run("x = 1", [], limits=Limits())
    sandbox.run(sys.argv[2], [], limits=Limits(cpu_s=20))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_end_of_the_host_ends_everything(tier, name, number, tmp_path):
    arguments = [sys.executable, "-c", HOST, tier, FORKS_AND_SLEEPS.format(name=name)]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        arguments, cwd=REPOSITORY, stderr=subprocess.PIPE, env=environment
    ) as host:
        assert waits_for(lambda: len(named(name)) == 2, 10)
        started = family(host.pid)
        assert len(started) > 5
        host.send_signal(number)
        said = host.stderr.read()
    assert waits_for(lambda: not any(map(alive, started)))
    assert waits_for(lambda: not named(name))
    if number == signal.SIGINT:
        assert b"KeyboardInterrupt" in said
    assert waits_for(lambda: list(tmp_path.iterdir()) == [])


# Tiers.


def refused_mapping(_):
    return {"why": "uid_map: Operation not permitted"}


def test_a_tier_that_cannot_start_says_what_would_help(monkeypatch):
    monkeypatch.setattr(Zygote, "_map_ids", refused_mapping)
    with pytest.raises(Refused) as caught:
        Zygote("namespaces")
    message = str(caught.value)
    assert message.startswith("sandbox: namespaces cannot be had here: PermissionError: [Errno 1] ")
    for cure in (
        "uid_map: Operation not permitted",
        "kernel.unprivileged_userns_clone=1",
        "user.max_user_namespaces",
        "kernel.apparmor_restrict_unprivileged_userns=0",
        "--security-opt seccomp=unconfined",
        "--gate-sandbox=landlock",
    ):
        assert cure in message
    outcome = Sandbox("namespaces").run("x = 1", [], limits=QUICK)
    assert outcome.kind is Kind.ERROR
    assert outcome.reason.startswith("sandbox: namespaces cannot be had here: ")


CURES = {
    "namespaces": ["kernel.unprivileged_userns_clone=1", "--gate-sandbox=landlock"],
    "landlock": ["5.13", "lsm=", "--gate-sandbox=rlimits"],
    "rlimits": ["Nothing is left to choose"],
}


@pytest.mark.parametrize("tier_name", TIERS)
def test_a_refusal_names_tier_cause_and_cure(tier_name):
    message = process.refusal(tier_name, "OSError: [Errno 38] nothing")
    assert message.startswith(f"sandbox: {tier_name} cannot be had here: OSError: [Errno 38] ")
    assert [cure for cure in CURES[tier_name] if cure not in message] == []


@pytest.mark.parametrize("failing", range(4))
def test_auto_takes_the_strongest_that_starts(monkeypatch, failing):
    def start(self, tier):
        tried.append(tier)
        if tier in TIERS[:failing]:
            raise Refused(f"no {tier}.")

    tried = []
    monkeypatch.setattr(Zygote, "__init__", start)
    monkeypatch.setattr(Zygote, "stop", lambda _: None)
    if failing == 3:
        with pytest.raises(Refused, match=r"^no namespaces\. no landlock\. no rlimits\.$"):
            settle_tier("auto")
    else:
        assert settle_tier("auto") == TIERS[failing]
    assert tuple(tried) == TIERS[: failing + 1]


def test_auto_falls_back_for_real(monkeypatch):
    monkeypatch.setattr(Zygote, "_map_ids", refused_mapping)
    with Sandbox("auto") as sandbox:
        assert sandbox.tier in TIERS[1:]
        assert sandbox.run("x = 1", [], limits=QUICK).passed


def test_a_refused_zygote_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Zygote, "_map_ids", refused_mapping)
    before = open_descriptors()
    with pytest.raises(Refused):
        Zygote("namespaces")
    assert open_descriptors() == before
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_is_an_error_of_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with Sandbox("rlimits") as sandbox:
        outcome = sandbox.run("x = 1", [], limits=QUICK)
    assert outcome.kind is Kind.ERROR
    assert outcome.reason.startswith("sandbox: [Errno 2] No such file or directory: ")


# What a program finds.


@pytest.fixture
def told(run):
    """Return what a program says in JSON of the world that it finds."""

    def told(expression, prelude="import os, sys\nfrom pathlib import Path"):
        outcome = run(f"{prelude}\nimport json\nprint(json.dumps({expression}))", limits=Limits())
        assert outcome.passed, outcome
        return json.loads(outcome.stdout_tail)

    return told


def test_a_program_is_nobody(told, tier):
    expected = [os.getuid()] * 3 if tier == "rlimits" else [65534] * 3
    assert told("list(os.getresuid())") == expected
    if tier != "rlimits":
        assert told("list(os.getresgid())") == [65534] * 3
    if tier == "namespaces":
        assert set(told("os.getgroups()")) <= {65534}


def test_a_program_has_an_environment_of_its_own(told, tier):
    environment = told("dict(os.environ)")
    known = {
        "HOME",
        "TMPDIR",
        "PATH",
        "LC_ALL",
        "LC_CTYPE",
        "PYTHONUTF8",
        "PYTHONIOENCODING",
        "PYTHONHASHSEED",
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
    }
    assert set(environment) <= known
    assert environment["HOME"] == environment["TMPDIR"] == told("os.getcwd()")
    own = environment["HOME"] in ("/tmp", "/work")  # the second where numpy lies under /tmp
    assert own is (tier == "namespaces")


def test_a_program_sees_no_process(told, tier):
    if tier == "namespaces":
        assert told("os.path.exists('/proc/self')") is False
        assert told("os.listdir('/proc') if os.path.exists('/proc') else []") == []
        assert told("os.getppid()") == 1
    if tier != "rlimits":
        assert told(f"read('/proc/{os.getpid()}/environ')", READ) is None
        assert told(f"read('/proc/{os.getpid()}/cmdline')", READ) is None


READ = """
import os
def read(path):
    try:
        return os.listdir(path) if os.path.isdir(path) else open(path).read()
    except OSError:
        return None
"""


def test_a_program_sees_neither_home_nor_repository(told, tier, tmp_path):
    if tier == "rlimits":  # which walls nothing off
        return
    (tmp_path / "secret").write_text("hunter2")
    for path in (tmp_path / "secret", REPOSITORY / "pyproject.toml", Path("/etc/passwd")):
        assert path.exists()
        assert told(f"read({str(path)!r})", READ) is None
    seen = told(f"read({str(REPOSITORY)!r})", READ) or []
    assert not seen or (seen == [".venv"] and numpy_path().startswith(f"{REPOSITORY}/.venv/"))


def test_the_interpreter_may_lie_in_a_home_that_is_otherwise_unseen(told, tier):
    base = Path(sys.base_prefix)
    assert told("sys.base_prefix") == str(base)
    assert told(f"read({str(base / 'lib')!r})", READ)
    assert told("xml.dom.minidom.__name__", "import xml.dom.minidom") == "xml.dom.minidom"
    home = Path.home()
    if tier == "rlimits" or home not in base.parents:
        return
    seen = told(f"read({str(home)!r})", READ)  # the way to the interpreter, or nothing
    assert set(seen or []) <= {base.relative_to(home).parts[0]}
    for above in base.parents:
        if above == home:
            break
        assert set(told(f"read({str(above)!r})", READ) or []) <= set(base.parts)


def test_on_this_machine_the_interpreter_lies_in_roots_home():
    """The case that the test above is for, here; elsewhere this one says nothing."""
    if Path("/root") in Path(sys.base_prefix).parents:
        assert Path("/root").stat().st_mode & 0o077 == 0


def test_numpy_is_found_wherever_it_lies_and_nothing_beside_it(told, run):
    beside = Path(numpy.__file__).parents[1]
    assert told("int(numpy.arange(4).sum())", "import numpy") == 6
    assert told("numpy.__version__", "import numpy") == numpy.__version__
    assert "pytest" in [entry.name for entry in beside.iterdir()]
    assert run("import pytest").kind is Kind.EXCEPTION
    assert told("[p for p in sys.path if 'site-packages' in p]") == []


@pytest.fixture
def outside_of_tmp():
    """Return a directory that the namespaces' own /tmp does not cover."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory).resolve()


@pytest.fixture
def fake_numpy(outside_of_tmp, monkeypatch):
    """Give a numpy inside a project that lies inside something readable, as /usr/src/app/.venv."""
    site = outside_of_tmp / "readable" / "app" / "site"
    (site / "numpy").mkdir(parents=True)
    (site / "numpy" / "__init__.py").write_text("answer = 42\n")
    (site.parent / "secret").write_text("hunter2")
    monkeypatch.setattr(process, "numpy_path", lambda: str(site))
    known = process.readable_paths()
    monkeypatch.setattr(process, "readable_paths", lambda: [*known, str(site.parents[1])])
    monkeypatch.setattr(process, "hidden_paths", lambda: [str(site.parent)])
    return site


def test_a_project_inside_of_something_readable_is_hidden_but_for_its_numpy(fake_numpy, tier):
    if tier == "rlimits":  # which knows no hiding
        return
    secret = str(fake_numpy.parent / "secret")
    program = f"{READ}import numpy\nprint(read({secret!r}), numpy.answer)"
    with Sandbox(tier) as sandbox:
        outcome = sandbox.run(program, [], limits=QUICK)
    assert (outcome.reason, outcome.stdout_tail.split()) == ("", ["None", "42"])


def test_numpy_is_optional(tier, monkeypatch):
    monkeypatch.setattr(process, "numpy_path", lambda: "")
    with Sandbox(tier) as sandbox:
        outcome = sandbox.run("import numpy", ["1"], limits=QUICK)
    assert outcome.kind in (Kind.EXCEPTION, Kind.EXIT)
    if outcome.kind is Kind.EXCEPTION:
        reason = "ModuleNotFoundError: No module named 'numpy' (program line 1)"
        assert outcome.reason == reason


def test_common_modules_are_loaded_before_the_program(told):
    missing = "[name for name in NAMES if name not in sys.modules]".replace("NAMES", repr(COMMON))
    assert told(missing) == []
    assert told("[name for name in sys.modules if 'anchorgate' in name]") == []


WRITE = """
import os
def tries(path):
    try:
        os.open(path, os.O_CREAT | os.O_WRONLY)
    except OSError:
        return True
"""


def test_a_program_cannot_write_outside_of_its_directory(told, tier, tmp_path):
    if tier == "rlimits":
        return
    tmp_path.chmod(0o777)
    for path in (
        tmp_path / "x",
        Path("/usr/x"),
        Path("/x"),
        Path("/var/tmp/x"),
        Path(sys.base_prefix) / "x",
    ):
        assert told(f"tries({str(path)!r})", WRITE) is True
        assert not path.exists()


def test_a_program_has_no_network(told, tier):
    if tier == "rlimits":
        return
    tries = """
import socket
def tries():
    try:
        socket.create_connection(("127.0.0.1", PORT), timeout=1)
    except OSError:
        return True
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert told("tries()", tries.replace("PORT", str(port))) is True


def test_a_forbidden_call_is_named_so(run, tier):
    if tier == "rlimits":
        return
    program = "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.unshare(0x10000000)"
    outcome = run(program)
    assert (outcome.kind, outcome.reason) == (Kind.FORBIDDEN, "made a forbidden system call")


# Another user than root. As root, one is made who can reach the interpreter: a mount namespace
# shows it where it is, under a home that is open.

SOMEBODY = """
import os, sys
from pytest_anchorgate.sandbox import linux
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.sandbox.limits import Limits
import pytest_anchorgate.sandbox.run, pytest_anchorgate.sandbox.process
base = os.path.realpath(sys.base_prefix)
if os.geteuid() == 0:
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    if base.startswith("/root/"):
        linux.mount(base, "/mnt", "", linux.MS_BIND | linux.MS_REC)
        linux.mount("tmpfs", "/root", "tmpfs", 0, "mode=755")
        os.makedirs(base)
        linux.mount("/mnt", base, "", linux.MS_BIND | linux.MS_REC)
    os.setgroups([])
    os.setresgid(1000, 1000, 1000)
    os.setresuid(1000, 1000, 1000)
    linux.prctl(4, 1, about="dumpable")
os.environ["HOME"] = "/tmp"
with Sandbox(sys.argv[1]) as sandbox:
    for program, test in [
        ("import os\\ndef f(): return os.getresuid()", "u = f()\\nassert u == (0, 0, 0)"),
        ("import os\\ndef f(): return os.getresgid()", "u = f()\\nassert u == (0, 0, 0)"),
        ("import xml.dom.minidom, numpy\\ndef f(): return 1", "assert f() == 1"),
        ("import os\\nos.makedirs('d/e/f')\\nos.chmod('d/e', 0)\\nos.chmod('d', 0)", ""),
        ("import os\\nprint(os.listdir())\\ntry: os.chmod('.', 0)\\n"
         "except PermissionError: pass", ""),
        ("import os\\nprint(os.listdir())", ""),
    ]:
        outcome = sandbox.run(program, [test], limits=Limits())
        print(outcome.kind, "|", outcome.reason, "|", outcome.stdout_tail.strip())
print(os.geteuid())
"""


def test_another_user_than_root_has_every_tier(tier):
    arguments = [sys.executable, "-c", SOMEBODY, tier]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    *lines, uid = done.stdout.splitlines()
    assert int(uid) != 0
    nobody = 65534 if tier == "namespaces" else int(uid)
    ids = f"({nobody}, {nobody}, {nobody})"
    assert lines[:2] == [f"assertion | assert {ids} == (0, 0, 0) | "] * 2
    assert lines[2] == "passed |  | "
    if tier == "landlock":  # which refuses chmod by name
        assert lines[3].startswith("exception | PermissionError: [Errno 1] Operation not permitted")
    else:
        assert lines[3] == "passed |  | "
    assert lines[4] == "passed |  | []"
    assert lines[5] == "passed |  | []"
