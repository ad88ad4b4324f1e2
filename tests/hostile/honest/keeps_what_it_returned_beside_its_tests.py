# /// check
# verdict = ["passed"]
# together = true
# tests = ["a = f(1)\nb = f(2)\nassert a is b and a == [1, 2]"]
# ///
def f(x, seen=[]):  # noqa: B006
    seen.append(x)
    return seen
