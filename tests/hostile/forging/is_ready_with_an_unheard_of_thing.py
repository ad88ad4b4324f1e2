# /// check
# verdict = ["protocol"]
# sends = true
# ///
send(b"""ready
{"f": ["passed", {"kind": "passed"}]}""")
