# /// check
# verdict = ["passed"]
# setup = "from collections import Counter, OrderedDict, defaultdict, deque"
# tests = ["c, o, d, q = f('abca')", "assert c == Counter('abca') and c.most_common(1) == [('a', 2)]", "assert o == OrderedDict(a=1, b=2) and list(o) == ['a', 'b']", "assert d == {'x': [1]} and isinstance(d, dict)", "assert q == deque([1, 2, 3]) and q.popleft() == 1"]
# ///
from collections import Counter, OrderedDict, defaultdict, deque


def f(text):
    lists = defaultdict(list)
    lists["x"].append(1)
    return Counter(text), OrderedDict(a=1, b=2), lists, deque([1, 2, 3])
