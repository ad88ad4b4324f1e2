# /// check
# verdict = ["cpu"]
# limits = {cpu_s = 0.3}
# setup = "import re"
# tests = ["assert re.fullmatch(r'(a|aa)+', f(2))"]
# ///
def f(x):
    return "a" * 60 + "b"
