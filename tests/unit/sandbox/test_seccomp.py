"""The filter, run by an interpreter of classic BPF: what it allows, refuses and kills."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.sandbox import linux, seccomp

ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
UNKNOWN = 0x00050000 | errno.ENOSYS
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = list(ARCH)


def answer(program, number, *args, arch):
    """Run the filter on one system call, as the kernel's documentation describes it."""
    words = [number, arch, 0, 0, *(half for arg in args for half in (arg & 0xFFFFFFFF, arg >> 32))]
    words += [0] * (16 - len(words))
    accumulator = position = steps = 0
    while True:
        code, when, otherwise, operand = struct.unpack_from("HBBI", program, 8 * position)
        position += 1
        steps += 1
        assert steps < 4096  # the kernel's limit of a program's length
        if code == 0x20:  # BPF_LD | BPF_W | BPF_ABS
            assert operand % 4 == 0
            accumulator = words[operand // 4]
        elif code == 0x15:  # BPF_JMP | BPF_JEQ
            position += when if accumulator == operand else otherwise
        elif code == 0x35:  # BPF_JMP | BPF_JGE
            position += when if accumulator >= operand else otherwise
        elif code == 0x45:  # BPF_JMP | BPF_JSET
            position += when if accumulator & operand else otherwise
        elif code == 0x06:  # BPF_RET
            return operand
        else:
            raise AssertionError(f"an instruction {code:#x} that the kernel does not know")


@pytest.fixture(params=MACHINES)
def machine(request, monkeypatch):
    monkeypatch.setattr(linux, "MACHINE", request.param)
    return request.param


@pytest.fixture
def ask(machine):
    def ask(number, *args, arch=None, hidden=True, signal_only=None):
        program = seccomp.build_filter(hidden=hidden, signal_only=signal_only)
        return answer(program, number, *args, arch=arch or ARCH[machine])

    return ask


def test_each_forbidden_call_kills(ask, machine):
    for name, number in (seccomp.FORBIDDEN[machine] | seccomp.EVERYWHERE).items():
        assert ask(number) == KILL, name
        assert ask(number, 2**64 - 1) == KILL, name


def test_each_refused_call_fails_with_eperm(ask, machine):
    for name, number in (seccomp.REFUSED[machine] | seccomp.REFUSED_EVERYWHERE).items():
        assert ask(number) == REFUSE, name
        assert ask(number, hidden=False) == REFUSE, name


def test_calls_of_another_architecture_kill(ask, machine):
    for arch in (*(set(ARCH.values()) - {ARCH[machine]}), 0x40000003, 0x40000028, 1):
        assert ask(0, arch=arch) == KILL
        assert ask(39, arch=arch) == KILL


@pytest.mark.parametrize("number", [0x40000000, 0x40000000 + 59, 0x40000000 + 520, 0xFFFFFFFF])
def test_calls_of_x32_kill(ask, machine, number):
    assert ask(number) == (KILL if machine == "x86_64" else ALLOW)


NEW = {
    "CLONE_NEWNS": 0x20000,
    "CLONE_NEWCGROUP": 0x2000000,
    "CLONE_NEWUTS": 0x4000000,
    "CLONE_NEWIPC": 0x8000000,
    "CLONE_NEWUSER": 0x10000000,
    "CLONE_NEWPID": 0x20000000,
    "CLONE_NEWNET": 0x40000000,
}
FORK = 17  # SIGCHLD
THREAD = 0x3D0F00


@pytest.mark.parametrize("flag", NEW.values(), ids=NEW)
def test_a_clone_into_a_new_namespace_kills(ask, machine, flag):
    for others in (0, FORK, THREAD):
        assert ask(seccomp.CLONE[machine], flag | others) == KILL


@pytest.mark.parametrize("flags", [0, FORK, THREAD, THREAD | FORK | 2**40])
def test_a_plain_clone_is_allowed(ask, machine, flags):
    assert ask(seccomp.CLONE[machine], flags) == ALLOW


@pytest.mark.parametrize("name", ["clone3", *seccomp.IO_URING])
def test_new_calls_seem_to_be_missing(ask, name):
    numbers = {"clone3": seccomp.CLONE3} | seccomp.IO_URING
    assert ask(numbers[name]) == UNKNOWN


def test_sockets_are_refused_where_others_can_be_reached(ask, machine):
    number = seccomp.SOCKET[machine]
    assert ask(number, hidden=False) == REFUSE
    assert ask(number, hidden=True) == ALLOW


STREAM, DATAGRAM, RAW, SEQPACKET, FLAGS = 1, 2, 3, 5, 0o2004000  # SOCK_CLOEXEC | SOCK_NONBLOCK


@pytest.mark.parametrize("flags", [0, FLAGS])
def test_half_of_a_pair_cannot_send_to_others(ask, machine, flags):
    number = seccomp.SOCKETPAIR[machine]
    for kind in (STREAM, DATAGRAM, RAW, SEQPACKET):
        assert ask(number, 1, kind | flags, hidden=True) == ALLOW
        expected = REFUSE if kind in (DATAGRAM, RAW) else ALLOW
        assert ask(number, 1, kind | flags, hidden=False) == expected
        assert ask(number, DATAGRAM, STREAM, hidden=False) == ALLOW


def test_files_are_changed_and_watched_by_name_only_where_others_are_hidden(ask, machine):
    for name, number in seccomp.ATTRIBUTES[machine].items():
        assert ask(number, hidden=True) == ALLOW, name
        assert ask(number, hidden=False) == REFUSE, name


def test_signals_go_to_the_one_process_alone(ask, machine):
    for name, number in seccomp.SIGNALS[machine].items():
        assert ask(number, 1234, signal_only=1234) == ALLOW, name
        for other in (0, 1, 1235, 2**32 - 1, 2**64 - 1, 2**64 - 1234):
            assert ask(number, other, signal_only=1234) == REFUSE, name
            assert ask(number, other) == ALLOW, name
    assert ask(seccomp.PIDFD_SEND_SIGNAL, 3, signal_only=1234) == REFUSE
    assert ask(seccomp.PIDFD_SEND_SIGNAL, 3) == ALLOW


def test_a_process_limits_itself_alone(ask, machine):
    assert ask(seccomp.PRLIMIT[machine], 0) == ALLOW
    for pid in (1, 1234, 2**32 - 1):
        assert ask(seccomp.PRLIMIT[machine], pid) == REFUSE


ORDINARY = {
    "x86_64": {"read": 0, "write": 1, "mmap": 9, "exit": 60, "execve": 59, "openat": 257},
    "aarch64": {"read": 63, "write": 64, "mmap": 222, "exit": 93, "execve": 221, "openat": 56},
}


def test_ordinary_and_unknown_calls_are_allowed(ask, machine):
    for name, number in {**ORDINARY[machine], "a new one": 999}.items():
        assert ask(number, hidden=False, signal_only=1) == ALLOW, name


def test_numbers_are_listed_once(machine):
    lists = [
        seccomp.FORBIDDEN[machine],
        seccomp.EVERYWHERE,
        seccomp.REFUSED[machine],
        seccomp.REFUSED_EVERYWHERE,
        seccomp.ATTRIBUTES[machine],
        seccomp.IO_URING,
        seccomp.SIGNALS[machine],
        {"socket": seccomp.SOCKET[machine], "socketpair": seccomp.SOCKETPAIR[machine]},
        {"clone": seccomp.CLONE[machine]},
        {"prlimit": seccomp.PRLIMIT[machine]},
        {"clone3": seccomp.CLONE3, "pidfd_send_signal": seccomp.PIDFD_SEND_SIGNAL},
    ]
    numbers = [number for listed in lists for number in listed.values()]
    assert len(numbers) == len(set(numbers))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.sampled_from(MACHINES))
def test_every_call_gets_an_answer(number, argument, machine):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(linux, "MACHINE", machine)
        program = seccomp.build_filter(hidden=False, signal_only=7)
    given_answer = answer(program, number, argument, arch=ARCH[machine])
    assert given_answer in (ALLOW, KILL, REFUSE, UNKNOWN)


def test_an_unknown_machine_is_refused(monkeypatch):
    monkeypatch.setattr(linux, "MACHINE", "riscv64")
    with pytest.raises(KeyError, match="riscv64"):
        seccomp.build_filter(hidden=True)
