# /// check
# verdict = ["passed"]
# entry_point = "f"
# prompt = """
# def double(x):
#     return 2 * x
#
#
# def f(x):
#     '''Undo double.'''
# """
# tests = ["for k in range(5):\n    assert f(double(k)) == k"]
# ///
def double(x):
    return x + x


def f(x):
    return x // 2
