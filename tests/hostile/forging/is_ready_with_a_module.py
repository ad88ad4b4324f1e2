# /// check
# verdict = ["not-plain"]
# sends = true
# ///
send(b"""ready
{"f": ["module", "os"]}""")
