# /// check
# verdict = ["passed"]
# tests = ["assert f('ab') == frozenset('ab')", "assert {f('ab'): 1}[frozenset('ba')] == 1"]
# ///
f = frozenset
