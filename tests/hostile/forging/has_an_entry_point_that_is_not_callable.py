# /// check
# verdict = ["exception", "not-plain"]
# ///
f = 4
