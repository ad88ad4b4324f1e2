# /// check
# verdict = ["assertion", "signal", "exception", "not-plain"]
# ///
import ctypes

Compare = ctypes.CFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.py_object, ctypes.c_int)
always = Compare(lambda left, right, operator: True)


def f(x):
    # tp_richcompare of int
    slot = ctypes.c_void_p.from_address(id(int) + 25 * 8)
    slot.value = ctypes.cast(always, ctypes.c_void_p).value
    return 0
