# /// check
# verdict = ["passed"]
# tests = ["b = f(3)\nb[0] = 9\nassert b == bytearray([9, 0, 0])"]
# ///
def f(n):
    return bytearray(n)
