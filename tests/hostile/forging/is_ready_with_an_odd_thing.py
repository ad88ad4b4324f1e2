# /// check
# verdict = ["not-plain", "protocol"]
# sends = true
# ///
send(b"""ready
{"f": ["odd", "passed"]}""")
