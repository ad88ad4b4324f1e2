# /// check
# verdict = ["assertion", "exception"]
# sends = true
# ///
send(b"""ready
{"f": ["value", "[[\\"type\\", \\"type\\"], []]"]}""")
