# /// check
# verdict = ["passed"]
# setup = "from collections import Counter, OrderedDict, deque"
# tests = ["a, d, s, b, q, n = [1], {'x': 1}, {1}, bytearray(b'x'), deque([1]), [[1], {'k': [2]}]\nc, o = Counter('a'), OrderedDict(a=1, b=2)\nassert f(a, d, s, b, q, n, c, o) is None", "assert a == [1, 9] and d == {'y': 2} and s == {1, 9}", "assert b == b'xz' and q == deque([0, 1])", "assert n == [[1, 9], {'k': [2, 9]}]", "assert c == {'a': 1, 'b': 1} and list(o) == ['b', 'a']"]
# ///
def f(a, d, s, b, q, n, c, o):
    a.append(9)
    del d["x"]
    d["y"] = 2
    s.add(9)
    b.extend(b"z")
    q.appendleft(0)
    n[0].append(9)
    n[1]["k"].append(9)
    c.update("b")
    o.move_to_end("a")
