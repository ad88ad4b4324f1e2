# /// check
# verdict = ["passed"]
# tests = ["a = [1]\nassert f(a) is a", "assert f([a])[0] is a", "d = {'k': a}\nassert f(d)['k'] is a"]
# ///
def f(x):
    return x
