# /// check
# verdict = ["protocol"]
# sends = true
# ///
send(b"""ready
{"f": ["value", "[[\\"n\\", \\"A\\", [\\"fi\\", \\"\\ufb01\\"], 4, 4], []]"]}""")
