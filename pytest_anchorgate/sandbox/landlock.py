"""Which files a program may touch where namespaces are denied: Landlock (Linux 5.13).

Rights, structures and numbers: the kernel's ``include/uapi/linux/landlock.h``. Landlock does not
hide names: that a file exists, and its size, can still be asked.
"""

from __future__ import annotations

import ctypes
import os
import struct

from pytest_anchorgate.sandbox import linux

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
READ = EXECUTE | READ_FILE | READ_DIR
_ALL = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}  # by ABI: refer, then truncate
_IOCTL_DEV = 1 << 15  # ABI 5
_FILE_ONLY = EXECUTE | WRITE_FILE | READ_FILE | (1 << 14)
_TCP = 0b11  # bind and connect, ABI 4
_SCOPES = 0b11  # abstract UNIX sockets and signals
ABI_WITH_SCOPES = 6


def abi() -> int:
    """Return the kernel's Landlock version.

    :raises OSError: when it has none, or none that is enabled.
    """
    return linux.syscall(
        _CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION), about="landlock"
    )


def make_ruleset(readable: list[str], writable: list[str], devices: list[str]) -> int:
    """Return a descriptor of rules that allow these paths, and nothing else of any file system."""
    version = abi()
    every = _ALL[min(version, 3)] | (_IOCTL_DEV if version >= 5 else 0)
    attributes = struct.pack(
        "QQQ", every, _TCP if version >= 4 else 0, _SCOPES if version >= ABI_WITH_SCOPES else 0
    )
    size = 24 if version >= ABI_WITH_SCOPES else 16 if version >= 4 else 8
    ruleset = linux.syscall(
        _CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint(0), about="landlock"
    )
    for paths, rights in (
        (readable, READ),
        (writable, every & ~_IOCTL_DEV),
        (devices, READ_FILE | WRITE_FILE),
    ):
        for path in paths:
            _allow(ruleset, path, rights)
    return ruleset


def without(path: str, hidden: list[str]) -> list[str]:
    """Return what a path holds, apart from hidden directories inside of it."""
    real = os.path.realpath(path)
    if not any(inner.startswith(f"{real}/") for inner in hidden):
        return [path]
    parts = [f"{real}/{name}" for name in os.listdir(real)]
    shown = [part for part in parts if part not in hidden and not os.path.islink(part)]
    return [found for part in shown for found in without(part, hidden)]


def _allow(ruleset: int, path: str, rights: int) -> None:
    if not os.path.exists(path):
        return
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not os.path.isdir(path):
            rights &= _FILE_ONLY
        rule = struct.pack("=Qi", rights, fd)
        linux.syscall(
            _ADD_RULE,
            ctypes.c_int(ruleset),
            ctypes.c_int(_PATH_BENEATH),
            rule,
            ctypes.c_uint(0),
            about=f"landlock {path}",
        )
    finally:
        os.close(fd)


def restrict(ruleset: int) -> None:
    """Put this process, and all that it starts, under the rules; needs no_new_privs."""
    linux.syscall(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint(0), about="landlock")
