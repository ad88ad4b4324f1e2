# /// check
# verdict = ["not-plain", "protocol"]
# sends = true
# ///
def f(x):
    send(b"""odd 1
{"passed": [[[[true]]]]}""")
    return 4
