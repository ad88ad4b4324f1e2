# /// check
# verdict = ["not-plain", "protocol", "assertion"]
# ///
def f(x):
    row = []
    for _ in range(100_000):
        row = [row]
    return row
