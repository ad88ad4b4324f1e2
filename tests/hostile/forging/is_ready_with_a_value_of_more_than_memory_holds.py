# /// check
# verdict = ["protocol", "memory", "cpu"]
# limits = {cpu_s = 2.0, memory_bytes = 134217728}
# sends = true
# ///
send(b'ready\n{"f": ["value", "[[0' + b",[]" * 4_000_000 + b'], []]"]}')
