# /// check
# verdict = ["assertion", "cpu", "memory"]
# limits = {cpu_s = 1.0}
# tests = ["assert f(2) == [4]"]
# ///
def f(x):
    row = [0]
    for _ in range(17):
        row = [row, row]
    return row
