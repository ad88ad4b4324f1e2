# /// check
# verdict = ["protocol"]
# together = true
# sends = true
# ///
send(b'ready\n{"f": ["call"]}')
send(b'verdict 00000000000000000000000000000000\n{"kind": "passed"}')


def f(x):
    return 0
