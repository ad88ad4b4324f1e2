# /// check
# verdict = ["protocol"]
# sends = true
# ///
send(b"""ready
{"f": ["value", "\\ud800"]}""")
