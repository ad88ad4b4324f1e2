# /// check
# verdict = ["exit"]
# ///
quit(0)
