# /// check
# verdict = ["passed"]
# tests = ["grid = f(2)\nassert grid == [[0, 0], [0, 0]]\ngrid[0][0] = 1\nassert grid[1][0] == 1"]
# ///
def f(n):
    return [[0] * n] * n
