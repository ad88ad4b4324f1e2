# /// check
# verdict = ["passed"]
# tests = ["assert f('é') == b'\\xc3\\xa9'", "assert isinstance(f('é'), bytes)", "assert f('') == b''"]
# ///
def f(text):
    return text.encode()
