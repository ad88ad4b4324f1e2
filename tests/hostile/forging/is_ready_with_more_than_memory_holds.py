# /// check
# verdict = ["protocol", "memory", "cpu"]
# limits = {cpu_s = 2.0, memory_bytes = 134217728}
# sends = true
# ///
send(b'ready\n{"f": ["value", "x"], "g": [' + b"[]," * 7_000_000 + b"1]}")
