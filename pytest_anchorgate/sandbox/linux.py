"""Linux system calls that Python 3.11 lacks, each raising OSError with what it was about.

Numbers and structures: the kernel's ``include/uapi``. Runs inside the zygote.
"""

from __future__ import annotations

import ctypes
import os
import platform

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_SECCOMP = 1, 8, 22
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
CAP_DAC_READ_SEARCH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_READ_ONLY = 0x1 | 0x2  # MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID
_CAPABILITY_VERSION_3 = 0x20080522
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_CAPGET = {"x86_64": 125, "aarch64": 90}
_CAPSET = {"x86_64": 126, "aarch64": 91}
_MOUNT_SETATTR = 442

_libc = ctypes.CDLL(None, use_errno=True)
MACHINE = platform.machine()


def _checked(result: int, about: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{about}: {os.strerror(error)}")
    return result


def syscall(number: int, *arguments: object, about: str) -> int:
    """Make a system call by its number."""
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments), about)


def prctl(option: int, *arguments: object, about: str) -> None:
    """Change an attribute of this process."""
    padded = [*arguments, 0, 0, 0, 0][:4]
    longs = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in padded]
    _checked(_libc.prctl(option, *longs), about)


def adopt_orphans() -> None:
    """Become the parent of whatever this process's descendants leave behind."""
    prctl(PR_SET_CHILD_SUBREAPER, 1, about="subreaper")


def die_with_parent() -> None:
    """Be killed when the process that forked this one ends."""
    prctl(PR_SET_PDEATHSIG, 9, about="pdeathsig")


def unshare(flags: int) -> None:
    """Put this process into new namespaces."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount ``source`` on ``target``."""
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
    )
    _checked(result, f"mount {target}")


def unmount(target: str) -> None:
    """Take a mount away, at once even when something still uses it."""
    _checked(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def make_read_only(target: str) -> None:
    """Make a mount and all below it read-only, with no setuid files in it (Linux 5.12)."""
    attributes = (ctypes.c_uint64 * 4)(_READ_ONLY, 0, 0, 0)
    syscall(
        _MOUNT_SETATTR,
        ctypes.c_int(_AT_FDCWD),
        target.encode(),
        ctypes.c_uint(_AT_RECURSIVE),
        attributes,
        ctypes.c_size_t(32),
        about=f"mount_setattr {target}",
    )


def enter_root(root: str) -> None:
    """Make ``root``, a mount, the root directory, and let go of the old one."""
    os.chdir(root)
    syscall(_PIVOT_ROOT[MACHINE], b".", b".", about="pivot_root")
    unmount(".")
    os.chdir("/")


def keep_capabilities(mask: int) -> None:
    """Give up every capability but those in ``mask``."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    syscall(_CAPSET[MACHINE], header, data, about="capset")


def permitted_capabilities() -> int:
    """Return the mask of the capabilities that this process may use."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    syscall(_CAPGET[MACHINE], header, data, about="capget")
    return int(data[1] | data[4] << 32)
