"""Which system calls a program may make: a classic BPF program for prctl(PR_SET_SECCOMP).

Format: the kernel's ``include/uapi/linux/{filter,seccomp,audit}.h``; numbers: its system call
tables. Everything is allowed but what is listed here.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from pytest_anchorgate.sandbox import linux

# A call of these ends the process with SIGSYS: no honest answer to a task needs them.
FORBIDDEN = {
    "x86_64": {
        "pivot_root": 155, "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164,
        "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169,
        "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173, "init_module": 175,
        "delete_module": 176, "quotactl": 179, "ptrace": 101, "kexec_load": 246, "add_key": 248,
        "request_key": 249, "keyctl": 250, "migrate_pages": 256, "unshare": 272,
        "move_pages": 279, "perf_event_open": 298, "fanotify_init": 300,
        "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308,
        "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
        "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
    },
    "aarch64": {
        "pivot_root": 41, "adjtimex": 171, "chroot": 51, "acct": 89, "settimeofday": 170,
        "mount": 40, "umount2": 39, "swapon": 224, "swapoff": 225, "reboot": 142,
        "sethostname": 161, "setdomainname": 162, "init_module": 105, "delete_module": 106,
        "quotactl": 60, "ptrace": 117, "kexec_load": 104, "add_key": 217, "request_key": 218,
        "keyctl": 219, "migrate_pages": 238, "unshare": 97, "move_pages": 239,
        "perf_event_open": 241, "fanotify_init": 262, "name_to_handle_at": 264,
        "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268, "process_vm_readv": 270,
        "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "kexec_file_load": 294,
        "bpf": 280, "userfaultfd": 282,
    },
}  # fmt: skip
EVERYWHERE = {  # the same numbers on every architecture, since Linux 5
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "pidfd_getfd": 438, "mount_setattr": 442,
}  # fmt: skip
REFUSED_EVERYWHERE = {"setxattrat": 463, "removexattrat": 466, "file_setattr": 469}
# What Landlock does not cover: attributes and events of files that a program can name or read.
ATTRIBUTES = {
    "x86_64": {
        "chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94, "utime": 132,
        "utimes": 235,
        "inotify_add_watch": 254, "fchownat": 260, "futimesat": 261, "fchmodat": 268,
        "utimensat": 280, "fchmodat2": 452,
    },
    "aarch64": {
        "inotify_add_watch": 27, "fchmod": 52, "fchmodat": 53, "fchown": 55, "fchownat": 54,
        "utimensat": 88, "fchmodat2": 452,
    },
}  # fmt: skip
# These fail with an error that programs expect: what they do would outlive the program, or change
# another process of the same user.
REFUSED = {
    "x86_64": {
        "shmget": 29, "semget": 64, "msgget": 68, "mq_open": 240,
        "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190,
        "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199,
        "setpriority": 141, "sched_setparam": 142, "sched_setscheduler": 144,
        "sched_setaffinity": 203, "ioprio_set": 251, "sched_setattr": 314,
    },
    "aarch64": {
        "shmget": 194, "semget": 190, "msgget": 186, "mq_open": 180,
        "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7,
        "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16,
        "setpriority": 140, "sched_setparam": 118, "sched_setscheduler": 119,
        "sched_setaffinity": 122, "ioprio_set": 30, "sched_setattr": 274,
    },
}  # fmt: skip
PRLIMIT = {"x86_64": 302, "aarch64": 261}  # whose first argument is whom to limit
IO_URING = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}
CLONE3 = 435
CLONE = {"x86_64": 56, "aarch64": 220}
SOCKET = {"x86_64": 41, "aarch64": 198}
SOCKETPAIR = {"x86_64": 53, "aarch64": 199}
IOCTL = {"x86_64": 16, "aarch64": 29}
# Signals to other processes; the first argument is whom to, in each of them.
SIGNALS = {
    "x86_64": {"kill": 62, "tkill": 200, "tgkill": 234, "queue": 129, "tgqueue": 297},
    "aarch64": {"kill": 129, "tkill": 130, "tgkill": 131, "queue": 138, "tgqueue": 240},
}
PIDFD_SEND_SIGNAL = 424
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_NEW_NAMESPACES = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUSER
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWNET
    | 0x2000000  # CLONE_NEWCGROUP
)
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_SET_FLAGS = 0x40086602  # FS_IOC_SETFLAGS
_DATAGRAM_BIT = 2  # of SOCK_DGRAM and SOCK_RAW, not of SOCK_STREAM and SOCK_SEQPACKET
_FILTER_MODE = 2


def _step(code: int, operand: int, when: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("HBBI", code, when, otherwise, operand)


def _answer(numbers: dict[str, int], action: int) -> list[bytes]:
    steps = []
    for number in numbers.values():
        steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, action)]
    return steps


def _on_argument(
    number: int, test: int, operand: int, when: int, other: int, *, argument: int = 0
) -> list[bytes]:
    """Return steps that decide one system call by the low half of an argument."""
    return [
        _step(_EQUAL, number, 0, 4),
        _step(_LOAD, _ARGUMENTS + 8 * argument),
        _step(test, operand, 0, 1),
        _step(_RETURN, when),
        _step(_RETURN, other),
    ]


def build_filter(*, hidden: bool, signal_only: int | None = None) -> bytes:
    """Return the filter's instructions for this machine.

    ``hidden``: namespaces keep the rest of the system out of sight. Where they do not, sockets
    and the attributes of files are refused too. ``signal_only``: the one process that may be
    sent signals; None allows any.

    :raises KeyError: on an architecture whose system calls are not listed here.
    """
    machine = linux.MACHINE
    refused = _ERROR | errno.EPERM
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, _AUDIT_ARCH[machine], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        *([_step(_AT_LEAST, _X32, 0, 1), _step(_RETURN, _KILL)] if machine == "x86_64" else []),
        *_answer(FORBIDDEN[machine] | EVERYWHERE, _KILL),
        *_answer(REFUSED[machine] | REFUSED_EVERYWHERE, refused),
        *_answer({"clone3": CLONE3} | IO_URING, _ERROR | errno.ENOSYS),
        *_on_argument(CLONE[machine], _ANY_BIT, _NEW_NAMESPACES, _KILL, _ALLOW),
        *_on_argument(PRLIMIT[machine], _EQUAL, 0, _ALLOW, refused),
    ]
    if not hidden:
        steps += _answer(ATTRIBUTES[machine] | {"socket": SOCKET[machine]}, refused)
        pair, control = SOCKETPAIR[machine], IOCTL[machine]
        steps += _on_argument(pair, _ANY_BIT, _DATAGRAM_BIT, refused, _ALLOW, argument=1)
        steps += _on_argument(control, _EQUAL, _SET_FLAGS, refused, _ALLOW, argument=1)
    if signal_only is not None:
        for number in SIGNALS[machine].values():
            steps += _on_argument(number, _EQUAL, signal_only, _ALLOW, refused)
        steps += _answer({"pidfd_send_signal": PIDFD_SEND_SIGNAL}, refused)
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def install(instructions: bytes) -> None:
    """Put this process, and all that it starts, under the filter."""
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1, about="no_new_privs")
    program = _Program(len(instructions) // 8, instructions)
    linux.prctl(linux.PR_SET_SECCOMP, _FILTER_MODE, ctypes.byref(program), about="seccomp")
