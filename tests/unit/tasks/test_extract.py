from __future__ import annotations

import pytest

from pytest_anchorgate.tasks.extract import EXTRACTOR_VERSION, Stage, extract
from pytest_anchorgate.tasks.grow import longest_text, missing_definitions
from pytest_anchorgate.tasks.prompt import ChatTemplate, Prompt, PromptStyle, render_prompt
from pytest_anchorgate.tasks.suites import load_references, load_suite
from pytest_anchorgate.tasks.task import Task

HEAD = "import math\n\n\n"
SIGNATURE = 'def area(r):\n    """Area of a circle."""\n'
BODY = "    return math.pi * r ** 2\n"
CODE = Task(
    id="own/area",
    suite="own",
    prompt=HEAD + SIGNATURE,
    entry_point="area",
    tests=("assert round(area(1), 2) == 3.14",),
)
DESCRIBED = Task(
    id="MBPP/1",
    suite="mbpp",
    prompt='"""\nTwice.\nassert twice(1) == 2\n"""\n',
    text="Twice.",
    entry_point="twice",
    tests=("assert twice(1) == 2",),
)
TWICE = "def twice(x):\n    return 2 * x\n"
FENCE_INSIDE = (
    'def twice(x):\n    """Doc.\n    ```\n    twice(1)\n    ```\n    """\n    return 2 * x\n'
)
TEMPLATE = ChatTemplate("{{ messages[0].content }}", special_tokens={})


def prompt_of(task: Task, style: str) -> Prompt:
    return render_prompt(task, PromptStyle(style), chat_template=TEMPLATE)


def extracted(task: Task, completion: str, style: str = "docstring") -> tuple[str, str]:
    extraction = extract(prompt_of(task, style), completion, task)
    return extraction.stage.value, extraction.program


def test_the_version_is_part_of_certificates():
    assert EXTRACTOR_VERSION == 1


@pytest.mark.parametrize(
    ("completion", "stage", "program"),
    [
        pytest.param(BODY, "continuation", HEAD + SIGNATURE + BODY, id="body"),
        pytest.param(BODY.rstrip(), "continuation", HEAD + SIGNATURE + BODY.rstrip(), id="no end"),
        pytest.param(
            BODY + "\nThat is it.\n", "continuation", HEAD + SIGNATURE + BODY + "\n", id="prose"
        ),
        pytest.param(
            BODY + '\n"""\nNext.\n"""\n', "continuation", HEAD + SIGNATURE + BODY, id="stop"
        ),
        pytest.param(
            SIGNATURE + BODY, "program", HEAD + SIGNATURE + BODY, id="signature again, no import"
        ),
        pytest.param(
            HEAD + SIGNATURE + BODY, "repeated", HEAD + SIGNATURE + BODY, id="prompt again"
        ),
        pytest.param(
            f"\n```python\n{SIGNATURE}{BODY}```\n", "fenced", HEAD + SIGNATURE + BODY, id="fence"
        ),
        pytest.param(f"```\n{BODY}```", "fenced", HEAD + SIGNATURE + BODY, id="body in a fence"),
        pytest.param(
            f"Of course:\n\n{SIGNATURE}{BODY}", "region", HEAD + SIGNATURE + BODY, id="prose first"
        ),
        pytest.param(BODY.strip(), "reindented", HEAD + SIGNATURE + BODY.rstrip(), id="no indent"),
        pytest.param(
            "if r:\n        return math.pi * r ** 2\n",
            "reindented",
            HEAD + SIGNATURE + "    if r:\n        return math.pi * r ** 2\n",
            id="first line lost its indent",
        ),
        pytest.param(
            "from __future__ import annotations\n" + SIGNATURE + BODY,
            "program",
            "from __future__ import annotations\n" + HEAD + SIGNATURE + BODY,
            id="a future import goes first",
        ),
        pytest.param("    pass\n", "continuation", HEAD + SIGNATURE + "    pass\n", id="stub"),
        pytest.param("I cannot.", "raw", HEAD + SIGNATURE + "I cannot.", id="refusal"),
        pytest.param("", "raw", HEAD + SIGNATURE, id="nothing"),
        pytest.param(
            "    return ((\n", "raw", HEAD + SIGNATURE + "    return ((\n", id="cut in a bracket"
        ),
        pytest.param("<s>" + BODY, "continuation", HEAD + SIGNATURE + BODY, id="token first"),
        pytest.param(
            BODY.replace("\n", "\r\n"), "continuation", HEAD + SIGNATURE + BODY, id="line ends"
        ),
    ],
)
@pytest.mark.parametrize("style", ["docstring", "completion"])
def test_a_signature_is_continued(completion, stage, program, style):
    assert extracted(CODE, completion, style) == (stage, program)


@pytest.mark.parametrize(
    ("completion", "stage", "program"),
    [
        pytest.param(TWICE, "continuation", DESCRIBED.prompt + TWICE, id="program"),
        pytest.param(
            DESCRIBED.prompt + TWICE, "repeated", DESCRIBED.prompt + TWICE, id="prompt again"
        ),
        pytest.param(f"```python\n{TWICE}```", "fenced", DESCRIBED.prompt + TWICE, id="fence"),
        pytest.param(f"So:\n{TWICE}", "region", TWICE, id="prose first"),
        pytest.param(
            f"{TWICE}{DESCRIBED.prompt}{TWICE}",
            "continuation",
            DESCRIBED.prompt + TWICE.rstrip(),
            id="over and over",
        ),
        pytest.param("twice", "continuation", DESCRIBED.prompt + "twice", id="a lone word"),
    ],
)
def test_a_description_is_continued(completion, stage, program):
    found = extracted(DESCRIBED, completion)
    assert found[0] == stage
    assert found[1].removeprefix(DESCRIBED.prompt) == program.removeprefix(DESCRIBED.prompt)


@pytest.mark.parametrize("style", ["chat", "paper"])
@pytest.mark.parametrize(
    ("completion", "stage", "program"),
    [
        pytest.param(f"Sure!\n```python\n{TWICE}```\nDone.", "fenced", TWICE, id="fence"),
        pytest.param(f"Sure! ```py\n{TWICE}", "fenced", TWICE, id="fence after words, unclosed"),
        pytest.param(f"```\nprint(1)\n```\n```\n{TWICE}```", "fenced", TWICE, id="second block"),
        pytest.param(
            f"```\nimport math\n```\n```\n{TWICE.replace('2', 'math.e')}```",
            "fenced",
            "import math\n" + TWICE.replace("2", "math.e"),
            id="what the block lacks is in another",
        ),
        pytest.param(f"~~~\n{TWICE}~~~", "fenced", TWICE, id="tildes"),
        pytest.param(
            "1. ```python\n   def twice(x):\n       return 2 * x\n   ```\n",
            "fenced",
            TWICE,
            id="in a list",
        ),
        pytest.param(
            FENCE_INSIDE,
            "program",
            FENCE_INSIDE,
            id="a fence in a docstring",
        ),
        pytest.param(TWICE, "program", TWICE, id="bare"),
        pytest.param(f"So:\n\n{TWICE}\nDone.\n", "region", TWICE + "\n", id="prose around"),
        pytest.param("I will not.", "raw", "I will not.", id="refusal"),
    ],
)
def test_an_answer_is_found(completion, stage, program, style):
    assert extracted(DESCRIBED, completion, style) == (stage, program)


def test_the_papers_end_mark_ends_the_program():
    text = f"{TWICE}[DONE]\n[BEGIN]\ndef twice(x):\n    return 0\n"
    assert extracted(DESCRIBED, text, "paper") == ("program", TWICE)


def test_a_chat_answer_may_rely_on_the_prompts_helpers_and_be_a_body():
    assert extracted(CODE, f"```\n{SIGNATURE}{BODY}```", "chat")[1] == HEAD + SIGNATURE + BODY
    assert extracted(CODE, f"```\n{BODY}```", "chat")[1] == HEAD + SIGNATURE + BODY
    assert extracted(CODE, BODY, "chat") == ("continuation", HEAD + SIGNATURE + BODY)


def test_a_row_with_a_text_may_still_be_continued_from_its_code():
    task = Task(
        id="own/1",
        suite="own",
        prompt=SIGNATURE,
        text="The area.",
        entry_point="area",
        tests=("assert area(1)",),
    )
    assert extracted(task, "    return 1\n") == ("continuation", SIGNATURE + "    return 1\n")


def test_a_prompt_without_a_newline_is_continued_on_its_line():
    task = Task(
        id="own/1", suite="own", prompt="def f(x):", entry_point="f", tests=("assert f(1)",)
    )
    assert extracted(task, " return x\n") == ("continuation", "def f(x): return x\n")
    assert extracted(task, "\n    return x\n") == ("continuation", "def f(x):\n    return x\n")
    assert extracted(task, "```\nreturn x\n```")[1] == "def f(x):\n    return x\n"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x = 1<|endoftext|>\ny = 2\n", "x = 1"),
        ("x = '</s>'\n", "x = '</s>'\n"),
        ("x = '</s>'\ny = 2</s>\n", "x = '</s>'\ny = 2"),
        ("x = 1\n<|im_end|>", "x = 1\n"),
        ("x = (1\n<\uff5cend\u2581of\uff5c>", ""),
    ],
)
def test_a_special_token_ends_a_text_only_where_reading_on_fails(text, kept):
    assert longest_text("", text) == kept


def test_a_token_that_reads_as_a_comparison_ends_the_program_too():
    assert extracted(DESCRIBED, TWICE.rstrip() + "<eos>more\n")[1].endswith("return 2 * x")
    compared = "def twice(x, s=0, a=1):\n    return a<s>x or 2 * x\n"
    assert extracted(DESCRIBED, compared)[1].endswith(compared)


def test_helpers_come_from_other_blocks_with_their_own_helpers():
    blocks = [
        "import math\n",
        "def g(x):\n    return math.floor(x)\n",
        "def f(x):\n    return g(x)\n",
    ]
    assert missing_definitions(blocks[2], blocks) == blocks[0] + blocks[1]
    assert missing_definitions("x = len([])\n", blocks) == ""


def test_every_reference_solution_is_extracted_whole(mbpp, mbpp_plus, humaneval):
    for name, spec in (("mbpp", mbpp), ("mbpp", mbpp_plus), ("humaneval", humaneval)):
        references = load_references(spec)
        for task in load_suite(name, [spec], resolve={})[::6]:
            prompt = prompt_of(task, "docstring")
            extraction = extract(prompt, references[task.id], task)
            assert extraction.stage is Stage.CONTINUATION, task.id
            assert extraction.program == prompt.text + references[task.id], task.id


def test_every_reference_solution_is_found_in_a_chat_answer(mbpp, humaneval):
    for name, spec in (("mbpp", mbpp), ("humaneval", humaneval)):
        references = load_references(spec)
        for task in load_suite(name, [spec], resolve={})[::10]:
            code = task.prompt + references[task.id]
            answer = f"Here you are:\n```python\n{code}\n```\nHope this helps!"
            extraction = extract(prompt_of(task, "chat"), answer, task)
            assert extraction.stage is Stage.FENCED, task.id
            assert code.strip() in extraction.program, task.id
