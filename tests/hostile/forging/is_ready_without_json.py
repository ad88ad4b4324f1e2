# /// check
# verdict = ["protocol"]
# sends = true
# ///
send(b"""ready
passed""")
