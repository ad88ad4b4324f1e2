# /// check
# verdict = ["passed"]
# tests = ["assert f() == ([1], {'a': 1}, 'text', 4)"]
# ///
class Row(list):
    pass


class Table(dict):
    pass


class Text(str):
    __slots__ = ()


class Number(int):
    pass


def f():
    return Row([1]), Table(a=1), Text("text"), Number(4)
