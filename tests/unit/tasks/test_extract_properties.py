"""The extractor never loses a correct program, whatever a model wraps around it."""

from __future__ import annotations

import sys

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_anchorgate.tasks.extract import extract
from pytest_anchorgate.tasks.prompt import ChatTemplate, PromptStyle, render_prompt
from tests.unit.tasks.answers import ANSWERS, Answer

TEMPLATE = ChatTemplate("{{ messages[0].content }}", special_tokens={})
VOCABULARY = """
    Sure here is the function that solves your task it uses recursion and is not slow or long
    for def class import return lambda pass in x 3 + ( ) : `x` don't
"""
WORDS = VOCABULARY.split()

prose = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(
    lambda words: " ".join(words) + "\n"
)
safe_prose = prose.map(lambda text: f"So, {text}")  # never Python by chance
special = st.sampled_from(
    ["<|endoftext|>", "</s>", "<|im_end|>\n<|im_start|>user\nAgain?", "<eos>"]
)
junk_code = st.sampled_from(
    [
        "def other(x):\n    return x + missing\n\n@missing\ndef third():\n    pass\n",
        '"""\nWrite a function to do more.\nassert more(1) == 2\n"""\ndef more(x):\n    return 2\n',
        "print(NAME(undefined))\n",
        "assert NAME(1, 2, 3) == None\n",
        "if __name__ == '__main__':\n    main()\n    print(NAME())\n",
        "import nonexistent_module as np\nnp.run()\n",
        "result = NAME(undefined, 1)\nprint(result)\n",
        "def NAME(*a):\n    return 'again'\n",
        "def oth",
        "resul",
        "print('unclosed",
        'x = """never closed\n',
        "for i in range(3:\n",
        "while Tru",
        "raise SystemExit\n",
        "exit()\n",
        "((((((((\n",
        "\0\n",
        "\ud800",
    ]
)
blank = st.sampled_from(["", "\n", "\n\n"])


def passes(program: str, answer: Answer) -> bool:
    names: dict[str, object] = {"__name__": "__main__"}
    limit = sys.getrecursionlimit()
    try:
        for source in (program, answer.task.setup, *answer.task.tests):
            exec(compile(source, "<program>", "exec", dont_inherit=True), names)
    except Exception:  # whatever the program raises
        return False
    finally:
        sys.setrecursionlimit(limit)
    return True


def junk(answer: Answer) -> st.SearchStrategy[str]:
    parts = st.one_of(safe_prose, special, junk_code).map(
        lambda text: text.replace("NAME", answer.task.entry_point)
    )
    return st.builds(lambda gap, parts: gap + "\n".join(parts), blank, st.lists(parts, max_size=3))


@st.composite
def fenced(draw: st.DrawFn, answer: Answer) -> str:
    mark = draw(st.sampled_from(["```", "~~~", "````"]))
    tag = draw(st.sampled_from(["python", "py", "", "Python3", "python title=x"]))
    code = draw(st.sampled_from([answer.program, answer.task.prompt + answer.completion]))
    code = code if "def " in code or "lambda" in code else answer.program
    end = draw(st.sampled_from([f"{mark}\n", mark, ""]))
    block = f"{mark}{tag}\n{code}{end}"
    indent, bullet = draw(st.sampled_from([("", ""), ("  ", ""), ("   ", "1. "), ("  ", "- ")]))
    lines = block.split("\n")
    first = (bullet or indent) + lines[0]
    block = "\n".join([first, *(indent + line if line else line for line in lines[1:])])
    before = draw(st.lists(safe_prose, max_size=3).map("".join))
    after = draw(st.lists(safe_prose, max_size=3).map("".join)) if end.endswith("\n") else ""
    return before + block + after


@st.composite
def direct(draw: st.DrawFn, answer: Answer) -> str:
    """What a base model writes: the continuation, or the prompt again, and then on and on."""
    start = draw(
        st.sampled_from(
            [
                answer.completion,
                answer.task.prompt + answer.completion,
                answer.task.prompt * 2 + answer.completion,
                "\n" + answer.task.prompt.strip() + "\n" + answer.completion,
                answer.program if answer.completion == answer.program else answer.completion,
            ]
        )
    )
    if draw(st.booleans()):
        start = start.rstrip() + draw(special)
        return start + draw(st.sampled_from(["", "\n"])) + draw(safe_prose)
    return start + draw(junk(answer))


@st.composite
def unfenced(draw: st.DrawFn, answer: Answer) -> str:
    """A whole program amid prose, with no fence to tell where it begins."""
    before = draw(st.lists(safe_prose, min_size=1, max_size=3).map("".join))
    return before + draw(blank) + answer.program + draw(junk(answer))


def check(answer: Answer, style: PromptStyle, completion: str) -> None:
    prompt = render_prompt(answer.task, style, chat_template=TEMPLATE)
    extraction = extract(prompt, completion, answer.task)
    assert passes(extraction.program, answer), f"{extraction.stage}:\n{extraction.program}"


relaxed = settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
answers = st.sampled_from(ANSWERS)
continuing = st.sampled_from([PromptStyle.DOCSTRING, PromptStyle.COMPLETION])
answering = st.sampled_from([PromptStyle.CHAT, PromptStyle.PAPER])


def test_the_answers_are_right():
    for answer in ANSWERS:
        assert passes(answer.task.prompt + answer.completion, answer), answer.task.id


@relaxed
@given(st.data(), answers, continuing)
def test_a_continuation_survives_what_a_base_model_adds(data, answer, style):
    check(answer, style, data.draw(direct(answer)))


@relaxed
@given(st.data(), answers, st.sampled_from(PromptStyle))
def test_a_fenced_program_survives(data, answer, style):
    check(answer, style, data.draw(fenced(answer)))


@relaxed
@given(st.data(), answers, st.sampled_from(PromptStyle))
def test_a_program_amid_prose_survives(data, answer, style):
    check(answer, style, data.draw(unfenced(answer)))


@relaxed
@given(st.text(), answers, st.sampled_from(PromptStyle))
def test_no_text_makes_extraction_raise(text, answer, style):
    prompt = render_prompt(answer.task, style, chat_template=TEMPLATE)
    extract(prompt, text, answer.task)
