# /// check
# verdict = ["exception"]
# sends = true
# ///
send(b"""ready
{"f": ["value", "[4, []]"]}""")
