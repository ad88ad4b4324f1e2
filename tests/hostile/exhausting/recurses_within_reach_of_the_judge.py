# /// check
# verdict = ["not-plain", "protocol", "assertion", "exception"]
# ///
def f(x):
    row = []
    for _ in range(240):
        row = [row]
    return row
