"""Tasks and right answers, written for these tests, with idioms that careless cutting loses."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_anchorgate.tasks.task import Task


@dataclass(frozen=True)
class Answer:
    task: Task
    completion: str  # continues the task's prompt
    program: str  # defines the entry point by itself, given the prompt's helpers


def signature_task(name: str, prompt: str, body: str, *tests: str) -> Answer:
    task = Task(id=f"own/{name}", suite="own", prompt=prompt, entry_point=name, tests=tests)
    start = prompt.index(f"def {name}")
    return Answer(task=task, completion=body, program=prompt[start:] + body)


def described_task(name: str, program: str, *tests: str, setup: str = "") -> Answer:
    text = f"Write a function {name} as its asserts have it."
    prompt = f'"""\n{text}\n{tests[0]}\n"""\n'
    task = Task(
        id=f"own/{name}",
        suite="own",
        prompt=prompt,
        text=text,
        entry_point=name,
        tests=tests,
        setup=setup,
    )
    return Answer(task=task, completion=program, program=program)


ANSWERS = (
    signature_task(
        "spread",
        "import math\nfrom typing import List\n\n\n"
        "def spread(values: List[float]) -> float:\n"
        '    """Distance of the largest from the smallest, rounded up.\n'
        "    >>> spread([1.0, 2.5])\n    2\n"
        '    """\n',
        "    if not values:\n        return 0\n\n    # both ends\n"
        "    return math.ceil(max(values) - min(values))\n",
        "assert spread([1.0, 2.5]) == 2",
        "assert spread([]) == 0",
    ),
    signature_task(
        "outer",
        "def double(x):\n    return 2 * x\n\n\ndef outer(x):\n"
        '    """Doubles twice with the help of double."""\n',
        "    return inner(double(x))\n\n\ndef inner(x):\n    return double(x)\n",
        "assert outer(3) == 12",
    ),
    signature_task(
        "strike",
        "def strike(text):\n",
        '    """Marks a text as deleted."""\n    if text == "":\n'
        '        return ""\n    return "<s>" + text + "</s>"\n',
        'assert strike("a") == "<s>a</s>"',
    ),
    described_task(
        "total",
        "from functools import reduce\nimport operator as op\n\n\n"
        "def total(numbers):\n    return reduce(op.add, numbers, START)\n\n\nSTART = 0\n",
        "assert total([1, 2, 3]) == 6",
        "assert total([]) == 0",
    ),
    described_task(
        "fib",
        "memo = {}\n\ndef fib(n):\n    if n in memo:\n        return memo[n]\n"
        "    return fib(n - 1) + fib(n - 2)\n\nmemo[0] = 0\nmemo.update({1: 1})\n",
        "assert fib(10) == 55",
    ),
    described_task(
        "sieve",
        "LIMIT = 50\nprime = [True] * LIMIT\n\n\ndef sieve(n):\n"
        "    return [i for i in range(2, n) if prime[i]]\n\n\n"
        "for i in range(2, LIMIT):\n    for j in range(i * i, LIMIT, i):\n"
        "        prime[j] = False\n",
        "assert sieve(12) == [2, 3, 5, 7, 11]",
    ),
    described_task(
        "depth",
        "class Node:\n    def __init__(self, value):\n        self.value = value\n"
        "        self.child = None\n\n\ndef depth(node):\n"
        "    return 0 if node is None else 1 + depth(node.child)\n",
        "assert depth(root) == 2",
        setup="root = Node(1)\nroot.child = Node(2)\n",
    ),
    described_task(
        "kind",
        "from functools import singledispatch\n\n\n@singledispatch\ndef kind(value):\n"
        "    return 'other'\n\n\n@kind.register(int)\ndef _(value):\n    return 'number'\n",
        "assert kind(3) == 'number'",
        "assert kind('a') == 'other'",
    ),
    described_task(
        "squares",
        "squares = lambda n: [\n    i ** 2  # the i-th\n    for i in range(n)\n]\n",
        "assert squares(3) == [0, 1, 4]",
    ),
    described_task(
        "even",
        "def even(n):\n    return True if n == 0 else odd(n - 1)\n\n"
        "def odd(n):\n    return False if n == 0 else even(n - 1)\n\n"
        "import sys\nsys.setrecursionlimit(5000)\n",
        "assert even(1200)",
    ),
)
