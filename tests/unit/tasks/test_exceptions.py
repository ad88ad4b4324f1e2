from __future__ import annotations

import dataclasses

from pytest_anchorgate.tasks import exceptions
from pytest_anchorgate.tasks.exceptions import TaskException, with_exceptions
from pytest_anchorgate.tasks.task import Task

TASK = Task(id="a", suite="own", prompt="def f():\n", entry_point="f", tests=("assert f()",))


def test_a_task_on_record_gets_its_limit(monkeypatch):
    record = {TASK.digest: TaskException(timeout_s=9.0, why="measured")}
    monkeypatch.setattr(exceptions, "load_exceptions", lambda: record)
    other = dataclasses.replace(TASK, prompt="def g():\n")
    own = dataclasses.replace(TASK, timeout_s=2.0)
    limits = [task.timeout_s for task in with_exceptions([TASK, other, own])]
    assert limits == [9.0, None, 2.0]


def test_the_packages_own_record_is_read():
    for digest, exception in exceptions.load_exceptions().items():
        assert len(digest) == 64
        assert exception.together or exception.timeout_s > 0
        assert exception.why


def test_a_task_on_record_is_judged_beside_its_program(monkeypatch):
    record = {TASK.digest: TaskException(together=True, why="needs its classes")}
    monkeypatch.setattr(exceptions, "load_exceptions", lambda: record)
    other = dataclasses.replace(TASK, prompt="def g():\n")
    assert [task.together for task in with_exceptions([TASK, other])] == [True, False]
