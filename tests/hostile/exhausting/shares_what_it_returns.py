# /// check
# verdict = ["assertion", "cpu", "memory"]
# limits = {cpu_s = 1.0}
# tests = ["assert f(2) == f(2) and False"]
# ///
def f(x):
    row = ()
    for _ in range(14):
        row = (row, row)
    return row
