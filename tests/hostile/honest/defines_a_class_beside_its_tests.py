# /// check
# verdict = ["passed"]
# together = true
# entry_point = "Stack"
# tests = ["s = Stack()\ns.push(1)\nassert s.pop() == 1 and len(s) == 0", "try:\n    Stack().pop()\nexcept IndexError:\n    pass\nelse:\n    assert False"]
# ///
class Stack:
    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def pop(self):
        return self.items.pop()

    def __len__(self):
        return len(self.items)
