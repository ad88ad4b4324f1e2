# /// check
# verdict = ["protocol"]
# together = true
# sends = true
# ///
send(b"""broken
{"kind": "passed"}""")
