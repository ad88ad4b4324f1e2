# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($secret_path) == $secret"]
# ///
import ctypes

libc = ctypes.CDLL(None)


def f(path):
    fd = libc.open(path.encode(), 0)
    buffer = ctypes.create_string_buffer(100)
    libc.read(fd, buffer, 99)
    return buffer.value.decode()
