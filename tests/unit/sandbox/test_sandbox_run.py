"""Each test puts one question to the sandbox, most of them as an adversary would."""

from __future__ import annotations

import pytest

from pytest_anchorgate.sandbox import process
from pytest_anchorgate.sandbox.limits import MIB, Limits
from pytest_anchorgate.sandbox.outcome import Outcome, OutcomeKind
from pytest_anchorgate.sandbox.run import one_line, run_program

QUICK = Limits(cpu_s=0.3)


def run(program: str, *tests: str, limits: Limits = QUICK, **given: str) -> Outcome:
    return run_program(program, tests, limits=limits, **given)


def printed(program: str) -> str:
    outcome = run(program)
    assert outcome.kind is OutcomeKind.PASSED, outcome
    return outcome.stdout_tail.strip()


PASSING = {
    "recursion 900 deep": "def f(n):\n    return n and 1 + f(n - 1)\nassert f(900) == 900",
    "unicode": "def é(x):\n    return x + '🎉\\u0301'\nassert len(é('ß')) == 3",
    "big integers": "assert len(str(7 ** 5000)) == 4226",
    "NaN": "nan = float('nan')\nassert nan != nan",
    "threads": "import threading\nout = []\nt = threading.Thread(target=out.append, args=(1,))\n"
    "t.start()\nt.join()\nassert out == [1]",
    "a process of its own": "import subprocess\n"
    "assert subprocess.run(['echo', 'x'], capture_output=True).stdout == b'x\\n'",
    "dataclasses": "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n"
    "assert P(1) == P(1)",
    "pickle": "import pickle\nclass P:\n    pass\n"
    "assert type(pickle.loads(pickle.dumps(P()))) is P",
    "numpy": "import numpy as np\nassert np.linalg.norm(np.array([3.0, 4.0])) == 5",
    "input at its end": "try:\n    input()\nexcept EOFError:\n    pass\nelse:\n    assert False",
    "temporary files": "import tempfile\nwith tempfile.TemporaryFile() as f:\n    f.write(b'x')",
    "its main block does not run": "if __name__ == '__main__':\n    raise ValueError",
    "future annotations": "from __future__ import annotations\ndef f(x: Nope): return x",
    "heavy printing": "for _ in range(50):\n    print('x' * 100_000)",
    "a thread left running": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(60,)).start()",
    "unprintable print": "print('\\ud800')",
    "its streams closed": "import sys\nsys.stdout.close()\nsys.stderr.close()",
    "a directory it locked": "import os\nos.mkdir('d')\nos.mkdir('d/e')\nos.chmod('d', 0)",
}


@pytest.mark.parametrize("program", PASSING.values(), ids=PASSING)
def test_honest_programs_pass(program):
    if "numpy" in program:
        pytest.importorskip("numpy")
    outcome = run(program, limits=Limits())
    assert (outcome.kind, outcome.reason) == (OutcomeKind.PASSED, ""), outcome


NEVER = "assert 1 == 2"
ENDING = {
    "sys.exit": ("import sys\nsys.exit(0)", "ended without a verdict: SystemExit: 0"),
    "exit": ("exit()", "ended without a verdict: SystemExit"),
    "quit": ("quit(3)", "ended without a verdict: SystemExit: 3"),
    "os._exit": (
        "import os\nos._exit(0)",
        "ended without a verdict, with exit status 0",
    ),
    "closing every descriptor": (
        "import os\nos.closerange(3, 100)",
        "ended without a verdict, with exit status 1",
    ),
    "an exception of no name": (
        "class E(BaseException):\n    def __str__(self):\n        raise self\nraise E",
        "E: <str raised E> (program line 4)",
    ),
    "an interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt (program line 1)"),
    "a null byte": (
        "x = '\0'",
        "does not compile: SyntaxError: source code string cannot contain null bytes",
    ),
    "a lone surrogate": ("x = '\ud800'", "does not compile: UnicodeEncodeError: "),
    "bad syntax": (
        "x = 1\ndef f(:",
        "does not compile: SyntaxError: invalid syntax (<program>, line 2)",
    ),
    "an exception": ("x = 1\nx / 0", "ZeroDivisionError: division by zero (program line 2)"),
    "an installed package": (
        "import pytest",
        "ModuleNotFoundError: No module named 'pytest' (program line 1)",
    ),
    "torch": ("import torch", "ModuleNotFoundError: No module named 'torch' (program line 1)"),
    "this package": (
        "import pytest_anchorgate",
        "ModuleNotFoundError: No module named 'pytest_anchorgate' (program line 1)",
    ),
    "endless recursion": (
        "def f(): f()\nf()",
        "RecursionError: maximum recursion depth exceeded (program line 1)",
    ),
}


@pytest.mark.parametrize(("program", "reason"), ENDING.values(), ids=ENDING)
def test_ending_early_is_a_failure_with_its_reason(program, reason):
    outcome = run(program, NEVER)
    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.reason.startswith(reason)


def test_a_forked_copy_of_the_tests_cannot_report():
    outcome = run("import os\nif os.fork():\n    os.wait()\n    os._exit(0)")
    assert outcome.reason == "ended without a verdict, with exit status 0"


def test_a_second_report_spoils_the_first():
    program = "import os\nfor fd in range(3, 20):\n    try:\n        os.write(fd, b'{}\\n')\n"
    outcome = run(program + "    except OSError:\n        pass")
    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.reason.startswith("ended without a verdict, with exit status ")


def test_a_missing_entry_point_is_named():
    outcome = run("def g(): pass", entry_point="f")
    assert (outcome.kind, outcome.reason) == (OutcomeKind.FAILED, "does not define 'f'")


def test_setup_runs_between_program_and_tests():
    assert run("class A: pass", "assert a", setup="a = A()").kind is OutcomeKind.PASSED
    outcome = run("x = 1", setup="a = A()")
    assert outcome.reason == "NameError: name 'A' is not defined"
    assert (outcome.failure.where, outcome.failure.line) == ("setup", 1)


def test_an_endless_loop_is_stopped_by_its_cpu_time():
    outcome = run("while True: pass")
    assert (outcome.kind, outcome.reason) == (
        OutcomeKind.TIMEOUT,
        "used more than 0.3 s of CPU time",
    )
    assert 0.2 < outcome.cpu_s < 0.9


def test_a_process_that_ignores_its_cpu_signals_is_stopped_later():
    program = "import signal\nfor s in (signal.SIGPROF, signal.SIGXCPU):\n    "
    outcome = run(program + "signal.signal(s, signal.SIG_IGN)\nwhile True: pass")
    assert outcome.kind is OutcomeKind.TIMEOUT
    assert outcome.cpu_s < 4


class Impatient(Limits):
    wall_s = 0.5


def test_a_sleeper_is_stopped_by_the_wall_clock():
    outcome = run("import time\ntime.sleep(60)", limits=Impatient(cpu_s=0.3))
    assert (outcome.kind, outcome.reason) == (
        OutcomeKind.TIMEOUT,
        "not done after 0.5 s, of which it computed 0.0 s",
    )


def test_ignoring_sigterm_does_not_help():
    program = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)"
    assert run(program, limits=Impatient(cpu_s=0.3)).kind is OutcomeKind.TIMEOUT


@pytest.mark.parametrize("program", ["x = ' ' * 10**9", "x = []\nwhile True: x.append(bytes(999))"])
def test_too_much_memory_is_an_outcome_of_its_own(program):
    outcome = run(program, limits=Limits(memory_bytes=256 * MIB))
    assert (outcome.kind, outcome.reason) == (
        OutcomeKind.MEMORY,
        "needed more than 256 MiB of memory",
    )
    assert outcome.failure.program_line in (1, 2)


def test_a_signal_is_named():
    outcome = run("import os\nos.kill(os.getpid(), 11)")
    assert (outcome.kind, outcome.reason) == (OutcomeKind.CRASHED, "killed by SIGSEGV")


def test_a_real_time_signal_is_numbered():
    assert run("import os\nos.kill(os.getpid(), 40)").reason == "killed by signal 40"


def test_a_flood_is_stopped():
    outcome = run("while True: print('x' * 9999)", limits=Limits(output_bytes=MIB))
    assert (outcome.kind, outcome.reason) == (OutcomeKind.FAILED, "printed more than 1 MiB")


def test_only_the_end_of_the_output_is_kept():
    tail = printed("for k in range(10_000): print(k)")
    assert tail.endswith("9998\n9999")
    assert len(tail) < process.TAIL_BYTES


def test_standard_error_is_kept_too():
    assert printed("import sys\nprint('oops', file=sys.stderr)") == "oops"


def test_a_file_over_the_limit_cannot_be_written():
    outcome = run("open('f', 'wb').write(bytes(2_000_000))", limits=Limits(file_bytes=MIB))
    assert outcome.reason == "OSError: [Errno 27] File too large (program line 1)"


def test_the_environment_holds_nothing_of_ours(monkeypatch):
    monkeypatch.setenv("ANCHORGATE_SECRET", "hunter2")
    names = printed("import os\nprint(sorted(os.environ))")
    assert "SECRET" not in names
    assert "HOME" in names


def test_sets_of_strings_have_the_same_order_in_every_run():
    program = "print(list({'a', 'b', 'c', 'd', 'e', 'f'}))"
    assert printed(program) == printed(program)


def test_our_own_broken_tests_are_never_charged_to_the_program():
    outcome = run("x = 1", "assert x ==")
    assert outcome.kind is OutcomeKind.ERROR
    assert outcome.reason == (
        "the task's own tests do not compile: SyntaxError: invalid syntax (<test 0>, line 1)"
    )


def test_an_interpreter_that_does_not_start_is_an_error(monkeypatch):
    monkeypatch.setattr(process, "BOOT", "import sys; sys.exit('no such luck')")
    outcome = run("x = 1")
    assert outcome.kind is OutcomeKind.ERROR
    assert outcome.reason == (
        "sandbox: the interpreter did not start (exit status 1): no such luck"
    )


def test_a_missing_interpreter_is_an_error(monkeypatch):
    monkeypatch.setattr(process, "BASE_EXECUTABLE", "/nonexistent/python")
    outcome = run("x = 1")
    assert outcome.kind is OutcomeKind.ERROR
    assert outcome.reason == (
        "sandbox: [Errno 2] No such file or directory: '/nonexistent/python'. "
        "The program was not run to its end."
    )


def test_reasons_are_short_printable_lines():
    assert one_line("a\n\x1b[31mb\u202e") == r"a \x1b[31mb\u202e"
    assert len(one_line("x" * 1000)) == 300
