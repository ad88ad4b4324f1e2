"""The root directory of the namespaces tier: what a program may read, and nothing else.

Runs in the zygote, in a mount namespace of its own.
"""

from __future__ import annotations

import os

from pytest_anchorgate.sandbox import linux

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
# What the interpreter and the programs that a program may start are linked with.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives")
TMP_OPTIONS = "mode=1777,size=256m,nr_inodes=16k"
PRIVATE = linux.MS_NOSUID | linux.MS_NODEV


def build_root(readable: list[str], hidden: list[str], work: str) -> None:
    """Make the root and enter it; ``hidden`` directories are empty even inside of others.

    :raises OSError: when the kernel does not allow it.
    """
    linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    new = "/proc"  # a directory that is always there and holds nothing to show
    linux.mount("tmpfs", new, "tmpfs", PRIVATE, "mode=755,size=1m")
    shown = (*SYSTEM, *SYSTEM_FILES, *DEVICES, *sorted(readable))
    for path in shown:
        _show(new, path)
    for path in hidden:
        inside = any(path.startswith(f"{above}/") for above in shown)
        if inside and os.path.isdir(new + path):
            linux.mount("tmpfs", new + path, "tmpfs", PRIVATE, "mode=755,size=64k")
    for path in sorted(readable):  # those that were hidden with what is around them
        _show(new, path)
    os.makedirs(new + work, exist_ok=True)
    os.symlink(work, f"{new}/dev/shm")
    linux.make_read_only(new)
    linux.enter_root(new)
    linux.mount("tmpfs", work, "tmpfs", PRIVATE, TMP_OPTIONS)


def _show(new: str, path: str) -> None:
    """Bind one path into the new root, a link as a link."""
    target = new + path
    if os.path.lexists(target) or not os.path.exists(path):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
    linux.mount(path, target, "", linux.MS_BIND | linux.MS_REC)
