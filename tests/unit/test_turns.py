from __future__ import annotations

import multiprocessing
import os
import threading
import time

import pytest

from pytest_anchorgate.errors import StoreError
from pytest_anchorgate.turns import Turns, usable_cores

FORK = multiprocessing.get_context("spawn")


def note(path, event):
    with path.open("a") as log:
        log.write(f"{event} {os.getpid()}\n")


def take(store, log, cores, rounds, alone_every):
    turns = Turns(store, cores)
    for k in range(rounds):
        alone = alone_every and k % alone_every == 0
        with turns.alone() if alone else turns.one():
            note(log, "+alone" if alone else "+one")
            time.sleep(0.003)
            note(log, "-alone" if alone else "-one")


@pytest.mark.parametrize("cores", [1, 2])
def test_no_more_run_than_there_are_cores_and_alone_is_alone(tmp_path, cores):
    log = tmp_path / "log"
    log.touch()
    workers = [
        FORK.Process(target=take, args=(tmp_path, log, cores, 20, every)) for every in (0, 0, 0, 5)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    running, alone, most = 0, False, 0
    for line in log.read_text().splitlines():
        event = line.split()[0]
        if event == "+alone":
            assert running == 0
            alone = True
        elif event == "-alone":
            alone = False
        else:
            assert not alone
            running += 1 if event == "+one" else -1
            most = max(most, running)
    assert most == cores


def test_whoever_dies_gives_its_turn_back(tmp_path):
    with Turns(tmp_path, 1).one():
        pass
    dead = FORK.Process(target=hold_and_die, args=(tmp_path,))
    dead.start()
    dead.join(60)
    with Turns(tmp_path, 1).alone():
        pass


def hold_and_die(store):
    with Turns(store, 1).one():
        os._exit(3)


def test_one_that_wants_to_be_alone_is_not_starved(tmp_path):
    turns, done = Turns(tmp_path, 2), threading.Event()

    def keep_taking():
        own = Turns(tmp_path, 2)
        while not done.is_set():
            with own.one():
                time.sleep(0.001)

    takers = [threading.Thread(target=keep_taking) for _ in range(3)]
    for taker in takers:
        taker.start()
    try:
        for _ in range(5):
            with turns.alone():
                pass
    finally:
        done.set()
        for taker in takers:
            taker.join()


def test_a_store_that_cannot_hold_locks_is_named(tmp_path):
    (tmp_path / "locks").write_text("")
    with pytest.raises(StoreError, match=r"locks: cannot be made: File exists. Name another"):
        Turns(tmp_path, 2)


def test_a_lock_that_cannot_be_opened_is_named(tmp_path):
    turns = Turns(tmp_path, 2)
    (tmp_path / "locks" / "hall").mkdir()
    with pytest.raises(StoreError, match=r"hall: cannot be opened: Is a directory. Name another"):
        turns.one().__enter__()


def test_the_cores_are_those_that_this_process_may_use():
    assert 1 <= usable_cores() <= os.cpu_count()
