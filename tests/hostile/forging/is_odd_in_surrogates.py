# /// check
# verdict = ["not-plain", "protocol"]
# sends = true
# ///
def f(x):
    send(b"""odd 1
"\\ud800\\u0000\\u001b[31m" """)
    return 4
