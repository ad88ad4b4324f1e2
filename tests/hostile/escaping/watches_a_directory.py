# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($root) >= 0"]
# ///
import ctypes

libc = ctypes.CDLL(None)


def f(path):
    return libc.inotify_add_watch(libc.inotify_init1(0), path.encode(), 0x100)  # IN_CREATE
