# /// check
# verdict = ["passed"]
# tests = ["assert f() == 1", "assert f() == 2", "assert [f(), f()] == [3, 4]"]
# ///
count = 0


def f():
    global count
    count += 1
    return count
