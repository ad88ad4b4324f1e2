# /// check
# verdict = ["missing", "protocol"]
# together = true
# sends = true
# ///
send(b"""ready
{}""")
