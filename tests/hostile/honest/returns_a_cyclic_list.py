# /// check
# verdict = ["passed"]
# tests = ["ring = f()\nassert ring[1] is ring and ring[1][1][0] == 1"]
# ///
def f():
    ring = [1]
    ring.append(ring)
    return ring
