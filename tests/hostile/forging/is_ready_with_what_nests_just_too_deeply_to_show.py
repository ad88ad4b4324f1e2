# /// check
# verdict = ["protocol"]
# tests = ["assert f(2) == 4", "assert g(3) == 9", "assert h(3) == 9"]
# sends = true
# ///
send(b'ready\n{"f": ["call"], "g": ["x", ' + b"[" * 981 + b"]" * 981 + b"]}")
