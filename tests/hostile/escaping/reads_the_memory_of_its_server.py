# /// check
# verdict = ["forbidden"]
# tests = ["assert f()"]
# ///
import ctypes
import os


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def f():
    buffer = ctypes.create_string_buffer(32)
    own = Vector(ctypes.addressof(buffer), 32)
    other = Vector(id(int), 32)  # the same address there as here
    libc = ctypes.CDLL(None)
    read = libc.process_vm_readv(
        os.getppid(), ctypes.byref(own), 1, ctypes.byref(other), 1, 0
    )
    return read == 32
