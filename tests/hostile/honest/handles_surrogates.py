# /// check
# verdict = ["passed"]
# tests = ["assert f('\\ud83d\\ude00') == '\\ude00\\ud83d'", "assert f('\\ud800') == '\\ud800'", "assert len(f('\\ud83d\\ude00')) == 2", "assert f('\\0\\u2028\\x7f') == '\\x7f\\u2028\\0'", "assert f(['\\ud800', '\\ufffe'])[1] == '\\ud800'"]
# ///
def f(text):
    return text[::-1]
