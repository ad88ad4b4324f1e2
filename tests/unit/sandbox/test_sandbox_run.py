"""Each test puts one question to the sandbox, most of them as an adversary would."""

from __future__ import annotations

import pytest

from pytest_anchorgate.sandbox import process
from pytest_anchorgate.sandbox.codec.encode import MOST_NESTED
from pytest_anchorgate.sandbox.limits import MIB, Limits
from pytest_anchorgate.sandbox.outcome import Kind
from pytest_anchorgate.sandbox.reading import one_line
from pytest_anchorgate.sandbox.run import TAIL_BYTES, Sandbox


class Impatient(Limits):
    wall_s = 0.3


PASSING = {
    "recursion 900 deep": "def f(n):\n    return n and 1 + f(n - 1)\nassert f(900) == 900",
    "unicode": "def é(x):\n    return x + '🎉\\u0301'\nassert len(é('ß')) == 3",
    "big integers": "assert len(str(7 ** 5000)) == 4226",
    "NaN": "nan = float('nan')\nassert nan != nan",
    "threads": "import threading\nout = []\nt = threading.Thread(target=out.append, args=(1,))\n"
    "t.start()\nt.join()\nassert out == [1]",
    "a process of its own": "import subprocess\n"
    "assert subprocess.run(['echo', 'x'], capture_output=True).stdout == b'x\\n'",
    "a pool of processes' locks": "import threading\nwith threading.RLock():\n    pass",
    "asyncio": "import asyncio\nasync def f():\n    await asyncio.sleep(0)\nasyncio.run(f())",
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
    "its own directory locked": "import os\nos.mkdir('d')\n"
    "try:\n    os.chmod('.', 0)\nexcept PermissionError:\n    pass",
    "a home to write in": "import pathlib\n(pathlib.Path.home() / 'x').write_text('')",
}


@pytest.mark.parametrize("program", PASSING.values(), ids=PASSING)
def test_honest_programs_pass(run, program):
    outcome = run(program, limits=Limits())
    assert (outcome.kind, outcome.reason) == (Kind.PASSED, ""), outcome


LOCKING = {
    "a directory it locked": "import os\nos.mkdir('d')\nos.mkdir('d/e')\nos.chmod('d', 0)",
    "a file it locked": "import os\nopen('f', 'w').close()\nos.chmod('f', 0)",
    "a file it dated": "import os\nopen('f', 'w').close()\nos.utime('f', (1, 1))",
}


@pytest.mark.parametrize("program", LOCKING.values(), ids=LOCKING)
def test_an_honest_program_may_change_its_files_unless_landlock_stands_alone(run, tier, program):
    """Landlock covers no attributes, so there no program may change any by name."""
    outcome = run(program, limits=Limits())
    if tier == "landlock":
        assert outcome.kind is Kind.EXCEPTION
        assert outcome.reason.startswith("PermissionError: [Errno 1] Operation not permitted")
    else:
        assert (outcome.kind, outcome.reason) == (Kind.PASSED, ""), outcome
    assert run("import os\nassert os.listdir() == []").passed


# program, test: what tests may do with what a program defines
TOGETHER_OR_NOT = {
    "a call": ("def f(x): return x + 1", "assert f(1) == 2"),
    "a keyword": ("def f(x, *, k=0): return x + k", "assert f(1, k=2) == 3"),
    "a lambda": ("f = lambda x: x", "assert f('a') == 'a'"),
    "a constant": ("LIMIT = 7\ndef f(): return LIMIT", "assert f() == LIMIT"),
    "two functions": ("def g(x): return -x\ndef f(x): return g(x)", "assert f(1) == g(1)"),
    "state between calls": (
        "n = 0\ndef f():\n  global n; n += 1\n  return n",
        "f()\nassert f() == 2",
    ),
    "a function redefined": (
        "def f():\n  global f\n  f = lambda: 2\n  return 1",
        "assert [f(), f()] == [1, 2]",
    ),
    "its argument changed": (
        "def f(x): x.append(1)",
        "a = []\nassert f(a) is None\nassert a == [1]",
    ),
    "its argument returned": ("def f(x): return x", "a = []\nassert f(a) is a"),
    "an exception": (
        "def f(): raise ValueError('x', 1)",
        "try:\n  f()\nexcept ValueError as e:\n  assert e.args == ('x', 1)\nelse:\n  assert 0",
    ),
    "an exception of its own": (
        "class E(KeyError): pass\ndef f(): raise E('k')",
        "try:\n  f()\nexcept KeyError as e:\n  assert e.args == ('k',)\nelse:\n  assert 0",
    ),
    "a generator": ("def f(n):\n  yield from range(n)", "assert list(f(3)) == [0, 1, 2]"),
    "a module by its name": (
        "import math\ndef f(x): return math.sqrt(x)",
        "assert math.isclose(f(2), math.sqrt(2))",
    ),
    "a module by another name": (
        "import collections as c\ndef f(x): return c.Counter(x)",
        "assert f('aa') == c.Counter({'a': 2})",
    ),
    "a function from a module": (
        "from math import sqrt\ndef f(x): return x",
        "assert f(2) == sqrt(4)",
    ),
    "a numpy scalar": ("import numpy as np\ndef f(): return np.int64(3)", "assert f() == 3"),
    "printing": ("def f(): print('x')", "assert f() is None"),
    "a checker": (
        "def f(x): return x",
        "def check(candidate):\n  assert candidate(1) == 1\ncheck(f)",
    ),
}


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize(("program", "test"), TOGETHER_OR_NOT.values(), ids=TOGETHER_OR_NOT)
def test_tests_find_what_the_program_defines(run, program, test, together):
    outcome = run(program, test, entry_point="f", together=together, limits=Limits())
    assert (outcome.kind, outcome.reason) == (Kind.PASSED, ""), outcome


COUNTED = "from itertools import count\ndef f():\n  for n in count():\n    print(n)\n    yield n"
MIDWAY = "def f():\n  yield 1\n  yield [2]\n  yield 3\n  raise KeyError('k')"
ITERATORS = {
    "an endless one": (
        COUNTED,
        "from itertools import islice\nassert list(islice(f(), 5)) == [0, 1, 2, 3, 4]",
    ),
    "an endless one, asked again and again": (
        COUNTED,
        "numbers = f()\nassert [next(numbers) for _ in range(5)] == [0, 1, 2, 3, 4]\n"
        "assert next(numbers) == 5",
    ),
    "two at the same time": (
        COUNTED,
        "one, other = f(), f()\n"
        "assert [(next(one), next(other)) for _ in range(9)] == [(n, n) for n in range(9)]",
    ),
    "one that raises midway": (
        MIDWAY,
        "it, seen = f(), []\ntry:\n  for x in it: seen.append(x)\n"
        "except KeyError as e:\n  assert 'k' in str(e)\nelse:\n  assert 0\n"
        "assert seen == [1, [2], 3]\nassert list(it) == []",
    ),
    "one that raises later than it is asked": (
        MIDWAY,
        "it = f()\nassert [next(it), next(it), next(it)] == [1, [2], 3]",
    ),
    "one that ends at a batch's end": (
        "def f(): return iter(range(7))",
        "it = f()\nassert list(it) == list(range(7))\nassert next(it, None) is None",
    ),
    "an empty one": ("def f(): return iter(())", "assert list(f()) == []"),
    "a long one": ("def f(): return iter(range(9000))", "assert sum(f()) == sum(range(9000))"),
    "in containers": (
        "from itertools import count\ndef f(): return [iter('ab'), {'k': (count(), 1)}]",
        "a, b = f()\nassert list(a) == ['a', 'b']\nassert next(b['k'][0]) == 0\n"
        "assert next(b['k'][0]) == 1",
    ),
    "in an iterator": (
        "from itertools import count\ndef f(): return (count(n) for n in count())",
        "it = f()\nassert [next(next(it)) for _ in range(4)] == [0, 1, 2, 3]",
    ),
    "pairs": ("def f(x): return zip(x, map(str, x))", "assert dict(f([1, 2])) == {1: '1', 2: '2'}"),
    "handed back": (
        "def g(n): return iter(range(n))\ndef f(it): return sum(it)",
        "assert f(g(20)) == 190",
    ),
    "handed back in the middle": (
        "def g(n): return iter(range(n))\ndef f(it): return list(it)",
        "it = g(6)\nassert next(it) == 0\nassert f(it) == [1, 2, 3, 4, 5]\nassert f(it) == []",
    ),
    "handed back as it came": (
        "def g(n): return iter(range(n))\ndef f(it): return it",
        "assert list(f(f(g(5)))) == [0, 1, 2, 3, 4]",
    ),
    "kept across calls": (
        "def f(n):\n  yield from range(n)",
        "a = f(3)\nassert list(f(2)) == [0, 1]\nassert list(a) == [0, 1, 2]",
    ),
}


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize(("program", "test"), ITERATORS.values(), ids=ITERATORS)
def test_iterators_go_on_where_they_are_asked_to(run_strongest, program, test, together):
    outcome = run_strongest(program, test, entry_point="f", together=together, limits=Limits())
    assert (outcome.kind, outcome.reason) == (Kind.PASSED, ""), outcome


def test_an_endless_iterator_computes_little_more_than_what_is_taken(run):
    test = "from itertools import islice\nassert list(islice(f(), 5)) == [0, 1, 2, 3, 4]"
    outcome = run(COUNTED, test, entry_point="f", limits=Limits())
    assert outcome.passed, outcome
    assert outcome.stdout_tail.split() == [str(n) for n in range(1 + 2 + 4)]


def test_an_endless_iterator_that_is_taken_to_its_end_ends(run_strongest):
    program = "from itertools import count\ndef f(): return count()"
    outcome = run_strongest(program, "assert list(f())", entry_point="f", limits=Limits())
    reason = "BufferError: more than 10000 items were iterated"
    assert (outcome.kind, outcome.reason) == (Kind.EXCEPTION, reason)
    outcome = run_strongest(
        program + "\ndef g(x): return list(x)", "g(f())", entry_point="f", limits=Limits()
    )
    assert outcome.kind is Kind.EXCEPTION
    assert outcome.reason.startswith(reason)


NO_ITEMS = {
    "an object": ("yield 1\n  yield object()", Kind.NOT_PLAIN, "data: object"),
    "an exit": ("yield 1\n  import os; os._exit(3)", Kind.EXIT, "exit status 3"),
    "an exception": ("yield 1\n  1 / 0", Kind.EXCEPTION, "ZeroDivisionError: division by zero"),
    "a loop": ("yield 1\n  while True: pass", Kind.CPU, "used more than 0.2 s of CPU time"),
    "too much memory": ("yield 1\n  yield ' ' * 10**10", Kind.MEMORY, "needed more than"),
}


@pytest.mark.parametrize(("body", "kind", "reason"), NO_ITEMS.values(), ids=NO_ITEMS)
def test_an_iterator_that_fails_later_is_charged_for_it(run_strongest, body, kind, reason):
    program = f"def f():\n  {body}"
    outcome = run_strongest(program, "list(f())", entry_point="f", limits=Limits(cpu_s=0.2))
    assert outcome.kind is kind, outcome
    assert reason in outcome.reason


NESTED = "def f({argument}):\n  v = 1\n  for _ in range({depth}): v = [v]\n  return {result}"


def test_values_nested_as_deep_as_may_be_cross_and_deeper_ones_are_named(run_strongest):
    def ask(depth, test, argument="", result="v"):
        program = NESTED.format(argument=argument, depth=depth, result=result)
        return run_strongest(program, test, entry_point="f", limits=Limits())

    deep = "def nested(n):\n  v = 1\n  for _ in range(n): v = [v]\n  return v\n"
    inside = deep + "def low(n): return low(n - 1) if n else f()\n"
    assert ask(MOST_NESTED, deep + f"assert f() == nested({MOST_NESTED})").passed
    assert ask(MOST_NESTED, inside + f"assert low(900) == nested({MOST_NESTED})").passed
    outcome = ask(MOST_NESTED + 1, "f()")
    reason = f"returned what is not plain data: list nested more than {MOST_NESTED} deep"
    assert (outcome.kind, outcome.reason) == (Kind.NOT_PLAIN, reason)
    # arguments are in a list themselves
    asked = f"x = nested({MOST_NESTED - 1})\nassert f(x) is x"
    assert ask(0, deep + asked, "x", "x").passed
    outcome = ask(0, deep + f"f(nested({MOST_NESTED + 1}))", "x", "x")
    assert outcome.kind is Kind.ERROR
    assert outcome.reason.startswith(
        f"sandbox: a test hands over a list nested more than {MOST_NESTED} deep, which is not"
    )


TOGETHER_ONLY = {
    "an object": (
        "class A:\n  x = 1\ndef f(): return A()",
        "assert f().x == 1",
        "not-plain",
        "returned what is not plain data: A",
    ),
    "a class": (
        "class A: pass\ndef f(): return 1",
        "assert isinstance(A(), A)",
        "not-plain",
        "returned what is not plain data: A",
    ),
    "a function": (
        "def f(): return lambda: 1",
        "assert f()() == 1",
        "not-plain",
        "returned what is not plain data: function",
    ),
    "a callback": (
        "def f(g): return g(1)",
        "assert f(lambda x: x) == 1",
        "error",
        'sandbox: a test hands over a function, which is not plain data. Give the task "together": '
        "true.",
    ),
    "an array": (
        "import numpy\ndef f(): return numpy.zeros(2)",
        "assert f().sum() == 0",
        "not-plain",
        "returned what is not plain data: ndarray",
    ),
    "a value that is none": (
        "x = object()\ndef f(): return x",
        "assert x is f()",
        "not-plain",
        "returned what is not plain data: object",
    ),
}


@pytest.mark.parametrize(
    ("program", "test", "kind", "reason"), TOGETHER_ONLY.values(), ids=TOGETHER_ONLY
)
def test_what_is_not_plain_needs_the_tests_beside_it(run, program, test, kind, reason):
    apart = run(program, test, entry_point="f", limits=Limits())
    assert (apart.kind, apart.reason) == (kind, reason)
    together = run(program, test, entry_point="f", together=True, limits=Limits())
    assert together.kind is Kind.PASSED, together


NEVER = "assert 1 == 2"
ENDING = {
    "sys.exit": ("import sys\nsys.exit(0)", "exit", "ended without a verdict: SystemExit: 0"),
    "exit": ("exit()", "exit", "ended without a verdict: SystemExit"),
    "quit": ("quit(3)", "exit", "ended without a verdict: SystemExit: 3"),
    "os._exit": (
        "import os\nos._exit(0)",
        "exit",
        "ended without a verdict, with exit status 0",
    ),
    "closing every descriptor": (
        "import os\nos.closerange(3, 100)",
        "exit",
        "ended without a verdict, with exit status 0",
    ),
    "closing every descriptor and waiting": (
        "import os, time\nos.closerange(3, 100)\ntime.sleep(60)",
        "protocol",
        "closed its channel to the judge",
    ),
    "an exception of no name": (
        "class E(BaseException):\n    def __str__(self):\n        raise self\nraise E",
        "exception",
        "E: <str raised E> (program line 4)",
    ),
    "an interrupt": (
        "raise KeyboardInterrupt",
        "exception",
        "KeyboardInterrupt (program line 1)",
    ),
    "a null byte": (
        "x = '\0'",
        "syntax",
        "does not compile: SyntaxError: source code string cannot contain null bytes",
    ),
    "a lone surrogate": ("x = '\ud800'", "syntax", "does not compile: UnicodeEncodeError: "),
    "bad syntax": (
        "x = 1\ndef f(:",
        "syntax",
        "does not compile: SyntaxError: invalid syntax (<program>, line 2)",
    ),
    "deep nesting": ("x = " + "(" * 300 + ")" * 300, "syntax", "does not compile: SyntaxError: "),
    "an exception": (
        "x = 1\nx / 0",
        "exception",
        "ZeroDivisionError: division by zero (program line 2)",
    ),
    "an installed package": (
        "import pytest",
        "exception",
        "ModuleNotFoundError: No module named 'pytest' (program line 1)",
    ),
    "torch": (
        "import torch",
        "exception",
        "ModuleNotFoundError: No module named 'torch' (program line 1)",
    ),
    "this package": (
        "import pytest_anchorgate",
        "exception",
        "ModuleNotFoundError: No module named 'pytest_anchorgate' (program line 1)",
    ),
    "endless recursion": (
        "def f(): f()\nf()",
        "exception",
        "RecursionError: maximum recursion depth exceeded (program line 1)",
    ),
}


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize(("program", "kind", "reason"), ENDING.values(), ids=ENDING)
def test_ending_early_is_a_failure_with_its_reason(run, program, kind, reason, together):
    outcome = run(program, NEVER, together=together)
    assert outcome.kind == kind, outcome
    assert outcome.reason.startswith(reason)


ENDING_IN_A_CALL = {
    "os._exit": ("import os\ndef f(): os._exit(0)", "ended without a verdict, with exit status 0"),
    "sys.exit": ("import sys\ndef f(): sys.exit(3)", "ended without a verdict: SystemExit: 3"),
    "an exception": (
        "def f():\n  return 1 / 0",
        "ZeroDivisionError: division by zero (program line 2)",
    ),
    "a crash": ("import ctypes\ndef f(): ctypes.string_at(0)", "killed by SIGSEGV"),
    "an abort": ("import os\ndef f(): os.abort()", "killed by SIGABRT"),
}


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize(("program", "reason"), ENDING_IN_A_CALL.values(), ids=ENDING_IN_A_CALL)
def test_ending_in_a_call_is_a_failure_with_its_reason(run, program, reason, together):
    outcome = run(program, "assert f() == 1", entry_point="f", together=together)
    assert outcome.reason == reason


def test_a_forked_copy_of_the_program_cannot_report(run):
    outcome = run("import os\nif os.fork():\n    os.wait()\n    os._exit(0)", NEVER)
    assert (outcome.kind, outcome.reason) == (Kind.ASSERTION, "assert 1 == 2")


FORGERIES = {
    "a report on every descriptor": """
import os
for fd in range(3, 50):
    try:
        os.write(fd, b'{"kind": "passed"}\\n')
    except OSError:
        pass
""",
    "frames on every descriptor": """
import os, time
frame = b'verdict 0\\n{"kind": "passed"}'
for fd in range(3, 50):
    try:
        os.write(fd, len(frame).to_bytes(4, 'little') + frame)
    except OSError:
        pass
""",
    "an endless frame": """
import os
for fd in range(3, 50):
    try:
        os.write(fd, b'\\xff\\xff\\xff\\xff')
    except OSError:
        pass
""",
    "results ahead of time": """
import os, json
for number in range(4):
    frame = b'result %d\\n[1,[]]' % number
    for fd in range(3, 50):
        try:
            os.write(fd, len(frame).to_bytes(4, 'little') + frame)
        except OSError:
            pass
""",
    "a pass in place of an exception": """
import os
def f(*_):
    said = b'raised 1\\n{"kind": "passed"}\\n[["ValueError","x"],[]]'
    for fd in range(3, 50):
        try:
            os.write(fd, len(said).to_bytes(4, 'little') + said)
        except OSError:
            pass
""",
    "a failed assert in place of a program": """
import os
said = b'broken\\n{"kind": "assertion", "exception": "x"}'
for fd in range(3, 50):
    try:
        os.write(fd, len(said).to_bytes(4, 'little') + said)
    except OSError:
        pass
""",
    "a wait for the judge's words": """
import json
json.loads = lambda *_, **__: ['f', 1]
""",
    "patched builtins": """
import builtins
builtins.AssertionError = builtins.isinstance = builtins.len = lambda *_: 1
""",
    "an object equal to everything": """
class Same(int):
    __eq__ = lambda *_: True
    __ne__ = lambda *_: False
    __hash__ = int.__hash__
def f(*_): return Same(1)
""",
    "a list equal to everything": """
class Same(list):
    __eq__ = lambda *_: True
    __len__ = lambda *_: 2
def f(*_): return Same([1])
""",
    "a walk up the stack": """
import sys
def f(*_):
    frame = sys._getframe()
    while frame:
        for name, value in list(frame.f_locals.items()):
            if 'test' in name or 'expected' in name:
                return 2
        frame = frame.f_back
    return 1
""",
    "a search of the memory": """
import gc
def f(*_):
    answer = ' '.join(['hidden', 'answer'])
    found = [o for o in gc.get_objects() if type(o) is tuple and answer in o]
    return found and 2
""",
    "its modules patched": """
import sys
for module in list(sys.modules.values()):
    for name in ('decode_call', 'encode_reply', 'report', 'executed'):
        if hasattr(module, name):
            setattr(module, name, lambda *_: ('f', [], {}, []))
""",
}


@pytest.mark.parametrize("program", FORGERIES.values(), ids=FORGERIES)
def test_no_forgery_passes(run, program):
    definition = "" if "def f" in program else "def f(*_): return 1\n"
    test = "x = (1, 'hidden answer')\nassert f() == 2"
    outcome = run(definition + program, test, entry_point="f", limits=Impatient(cpu_s=0.2))
    blamed = (Kind.ASSERTION, Kind.PROTOCOL, Kind.EXCEPTION, Kind.EXIT, Kind.WALL)
    assert outcome.kind in blamed, outcome
    assert outcome.reason


def test_a_missing_entry_point_is_named(run):
    outcome = run("def g(): pass", entry_point="f")
    assert (outcome.kind, outcome.reason) == (Kind.MISSING, "does not define 'f'")
    outcome = run("def g(): pass", "assert f()", entry_point="f", together=True)
    assert (outcome.kind, outcome.reason) == (Kind.MISSING, "does not define 'f'")


def test_setup_runs_between_program_and_tests(run):
    passed = run("class A: pass", "assert a", setup="a = A()", together=True)
    assert passed.kind is Kind.PASSED
    outcome = run("x = 1", setup="a = A()")
    assert outcome.reason == "NameError: name 'A' is not defined"
    assert (outcome.failure.where, outcome.failure.line) == ("setup", 1)


def test_setup_is_shared_by_the_tests(run):
    outcome = run("def f(x): return x", "a.append(f(1))", "assert a == [1]", setup="a = []")
    assert outcome.kind is Kind.PASSED


def test_a_module_that_the_program_imported_must_be_on_the_list(run):
    outcome = run("import os\ndef f(): return 1", "assert f() and os.sep")
    assert not outcome.passed
    assert outcome.failure is None
    assert outcome.kind is Kind.NOT_PLAIN
    assert outcome.reason == "returned what is not plain data: the module os"


def test_a_prompt_lends_its_helpers_to_the_tests(run):
    prompt = "def helper(x):\n    return x * 2\n\ndef f(x):\n    '''Doc.'''\n"
    program = "def helper(x): return 0\ndef f(x): return 4"
    assert run(program, "assert f(2) == helper(2)", prompt=prompt, entry_point="f").passed


def test_a_prompt_that_does_not_run_is_an_error_of_ours(run):
    outcome = run("x = 1", "assert h", prompt="h = 1 / 0\n", entry_point="f")
    assert outcome.kind is Kind.ERROR
    assert outcome.reason == (
        "the task's own prompt does not run: ZeroDivisionError: division by zero"
    )


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize(
    "program", ["while True: pass", "def f():\n  while True: pass"], ids=["at once", "in a call"]
)
def test_an_endless_loop_is_stopped_by_its_cpu_time(run, program, together):
    outcome = run(program, "f()", limits=Limits(cpu_s=0.15), together=together)
    assert (outcome.kind, outcome.reason) == (Kind.CPU, "used more than 0.15 s of CPU time")
    assert 0.1 < outcome.cpu_s < 0.6


def test_cpu_time_is_that_of_all_threads(run):
    program = "import threading\nthreads = []\nfor _ in range(2):\n"
    program += "  threads.append(threading.Thread(target=lambda: any(iter(int, 1))))\n"
    program += "for t in threads: t.start()\nfor t in threads: t.join()"
    assert run(program, limits=Limits(cpu_s=0.2)).kind is Kind.CPU


def test_cpu_time_is_that_of_children_too(run):
    program = "import os\nif not os.fork():\n  for _ in range(10_000_000): pass\n  os._exit(0)\n"
    outcome = run(program + "os.wait()", limits=Limits(cpu_s=0.05))
    assert (outcome.kind, outcome.reason) == (Kind.CPU, "used more than 0.05 s of CPU time")


def test_a_process_that_ignores_its_cpu_signals_is_stopped_at_once(run):
    program = "import signal\nfor s in (signal.SIGPROF, signal.SIGXCPU):\n    "
    program += "signal.signal(s, signal.SIG_IGN)\nwhile True: pass"
    outcome = run(program, limits=Limits(cpu_s=0.2))
    assert outcome.kind is Kind.CPU
    assert outcome.cpu_s < 0.9


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize(
    "program",
    ["import time\ntime.sleep(60)", "import time\ndef f(): time.sleep(60)"],
    ids=["at once", "in a call"],
)
def test_a_sleeper_is_stopped_by_the_wall_clock(run, program, together):
    outcome = run(program, "f()", limits=Impatient(cpu_s=0.2), together=together)
    reason = "not done after 0.3 s, of which it computed 0.0 s"
    assert (outcome.kind, outcome.reason) == (Kind.WALL, reason)


def test_ignoring_sigterm_does_not_help(run):
    program = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)"
    assert run(program, limits=Impatient(cpu_s=0.2)).kind is Kind.WALL


def test_tests_that_compute_too_long_are_said_to(run):
    outcome = run("def f(): return 10", "while f: pass", limits=Limits(cpu_s=0.2))
    reason = "its tests used more than 0.2 s of CPU time on what it returned"
    assert (outcome.kind, outcome.reason) == (Kind.CPU, reason)


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize(
    "program",
    [
        "x = ' ' * 10**9",
        "x = []\nwhile True: x.append(bytes(999))",
        "def f():\n return ' ' * 10**9",
    ],
    ids=["at once", "little by little", "in a call"],
)
def test_too_much_memory_is_an_outcome_of_its_own(run, program, together):
    limits = Limits(memory_bytes=256 * MIB)
    outcome = run(program, "f()", limits=limits, together=together)
    reason = "needed more than 256 MiB of memory"
    assert (outcome.kind, outcome.reason) == (Kind.MEMORY, reason)
    assert outcome.failure.program_line in (1, 2)


def test_a_signal_is_named(run):
    outcome = run("import os\nos.kill(os.getpid(), 11)")
    assert (outcome.kind, outcome.reason) == (Kind.SIGNAL, "killed by SIGSEGV")


def test_a_real_time_signal_is_numbered(run):
    assert run("import os\nos.kill(os.getpid(), 40)").reason == "killed by signal 40"


@pytest.mark.parametrize(
    "program",
    [
        "while True: print('x' * 9999)",
        "import os\nwhile True: os.write(2, b'x' * 9999)",
        "import os\nos.fork()\nwhile True: print('x' * 9999)",
    ],
    ids=["stdout", "stderr", "both processes"],
)
def test_a_flood_is_stopped(run, program):
    outcome = run(program, limits=Limits(output_bytes=MIB))
    assert (outcome.kind, outcome.reason) == (Kind.FLOOD, "printed more than 1 MiB")


@pytest.fixture
def printed(run):
    def printed(program, **given):
        outcome = run(program, **given)
        assert outcome.kind is Kind.PASSED, outcome
        return outcome.stdout_tail.strip()

    return printed


def test_only_the_end_of_the_output_is_kept(printed):
    tail = printed("for k in range(10_000): print(k)")
    assert tail.endswith("9998\n9999")
    assert len(tail) < TAIL_BYTES


def test_standard_error_is_kept_too(printed):
    assert printed("import sys\nprint('oops', file=sys.stderr)") == "oops"


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
def test_what_tests_print_is_kept_too(run, together):
    outcome = run("def f(): print('program')", "f()\nprint('test')", together=together)
    assert set(outcome.stdout_tail.split()) == {"program", "test"}


def test_what_was_printed_before_a_failure_is_kept(run):
    assert run("print('before')\n1 / 0").stdout_tail == "before\n"
    assert (
        run("print('before', flush=True)\nwhile True: pass", limits=Limits(cpu_s=0.1)).stdout_tail
        == "before\n"
    )


def test_a_file_over_the_limit_cannot_be_written(run):
    outcome = run("open('f', 'wb').write(bytes(2_000_000))", limits=Limits(file_bytes=MIB))
    assert outcome.reason == "OSError: [Errno 27] File too large (program line 1)"


def test_a_file_of_one_program_is_gone_before_the_next(printed):
    printed("open('left', 'w').close()")
    assert printed("import os\nprint(os.listdir())") == "[]"


def test_the_environment_holds_nothing_of_ours(tier, monkeypatch):
    monkeypatch.setenv("ANCHORGATE_SECRET", "hunter2")
    with Sandbox(tier) as fresh:
        names = fresh.run("import os\nprint(sorted(os.environ))", [], limits=Limits()).stdout_tail
    assert "SECRET" not in names
    assert "HOME" in names


def test_sets_of_strings_have_the_same_order_in_every_run(run):
    program = "print(list({'a', 'b', 'c', 'd', 'e', 'f'}))"
    assert run(program).stdout_tail == run(program).stdout_tail


def test_one_program_leaves_the_next_a_clean_interpreter(run):
    run("import builtins, math, sys\nmath.pi = 3\nbuiltins.len = None\nsys.path.clear()")
    outcome = run("import math\nfrom fractions import Fraction\nassert math.pi > 3 and len('a')")
    assert outcome.kind is Kind.PASSED, outcome


def test_our_own_broken_tests_are_never_charged_to_the_program(run):
    outcome = run("x = 1", "assert x ==")
    assert outcome.kind is Kind.ERROR
    assert outcome.reason == (
        "the task's own tests do not compile: SyntaxError: invalid syntax (<test 0>, line 1)"
    )


def test_an_interpreter_that_does_not_start_is_an_error(monkeypatch):
    monkeypatch.setattr(process, "BOOT", "import sys; sys.exit('no such luck')")
    with Sandbox("rlimits") as sandbox:
        outcome = sandbox.run("x = 1", [], limits=Limits())
    assert outcome.kind is Kind.ERROR
    assert outcome.reason == "sandbox: the zygote did not start: no such luck."


def test_a_missing_interpreter_is_an_error(monkeypatch):
    monkeypatch.setattr(process, "BASE_EXECUTABLE", "/nonexistent/python")
    with Sandbox("rlimits") as sandbox:
        outcome = sandbox.run("x = 1", [], limits=Limits())
    assert outcome.kind is Kind.ERROR
    assert outcome.reason == ("sandbox: [Errno 2] No such file or directory: '/nonexistent/python'")


def test_reasons_are_short_printable_lines():
    assert one_line("a\n\x1b[31mb\u202e") == r"a \x1b[31mb\u202e"
    assert len(one_line("x" * 1000)) == 300
