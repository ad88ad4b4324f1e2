# /// check
# verdict = ["forbidden"]
# tests = ["assert f($secret_path) == $secret"]
# ///
import ctypes

libc = ctypes.CDLL(None, use_errno=True)


def f(path):
    handle = ctypes.create_string_buffer(200)
    handle[0] = 128
    mount = ctypes.c_int()
    libc.name_to_handle_at(-100, path.encode(), handle, ctypes.byref(mount), 0)
    fd = libc.open_by_handle_at(libc.open(b"/", 0), handle, 0)
    return open(fd).read()
