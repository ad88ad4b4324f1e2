from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import pytest

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.tasks.prompt import ChatTemplate, PromptStyle, render_prompt
from pytest_anchorgate.tasks.suites import load_references, load_suite
from pytest_anchorgate.tasks.task import Task

DESCRIBED = Task(
    id="MBPP/1",
    suite="mbpp",
    prompt='"""\nAdd.\nassert add(1, 2) == 3\n"""\n',
    text="Add.",
    entry_point="add",
    tests=("assert add(1, 2) == 3", "assert add(0, 0) == 0"),
)
SIGNATURE = Task(
    id="own/1",
    suite="own",
    prompt='def add(a, b):\n    """Add."""\n',
    entry_point="add",
    tests=("assert add(1, 2) == 3",),
)
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_docstring_style_holds_the_text_and_the_first_assert():
    prompt = render_prompt(DESCRIBED, PromptStyle.DOCSTRING)
    assert prompt.text == '"""\nAdd.\nassert add(1, 2) == 3\n"""\n'
    assert prompt.continues


@pytest.mark.parametrize("style", [PromptStyle.DOCSTRING, PromptStyle.COMPLETION])
def test_a_task_without_a_text_of_its_own_is_its_own_prompt(style):
    prompt = render_prompt(SIGNATURE, style)
    assert prompt.text == SIGNATURE.prompt
    assert prompt.style is style
    assert prompt.continues


def test_completion_style_is_the_rows_prompt_even_where_there_is_a_text():
    task = replace(SIGNATURE, text="Add two numbers.")
    assert render_prompt(task, PromptStyle.COMPLETION).text == SIGNATURE.prompt
    docstring = '"""\nAdd two numbers.\nassert add(1, 2) == 3\n"""\n'
    assert render_prompt(task, PromptStyle.DOCSTRING).text == docstring


def test_paper_style_is_the_papers():
    prompt = render_prompt(DESCRIBED, PromptStyle.PAPER)
    assert prompt.text == (
        "You are an expert Python programmer, and here is your task: Add. "
        "Your code should pass these tests:\n\n"
        "assert add(1, 2) == 3\nassert add(0, 0) == 0\n[BEGIN]\n"
    )
    assert (prompt.continues, prompt.stop) == (False, ("[DONE]",))


def test_paper_style_shows_a_code_prompt_in_place_and_no_tests():
    prompt = render_prompt(SIGNATURE, PromptStyle.PAPER)
    assert prompt.text == (
        "You are an expert Python programmer, and here is your task: \n\n"
        'def add(a, b):\n    """Add."""\n\n[BEGIN]\n'
    )


def test_chat_style_speaks_through_the_packs_template():
    template = ChatTemplate(CHATML, special_tokens={})
    prompt = render_prompt(SIGNATURE, PromptStyle.CHAT, chat_template=template)
    assert prompt.text == (
        "<|im_start|>user\nComplete the Python program below. Answer with the whole program, its "
        "imports included, in one ```python code block.\n\n"
        '```python\ndef add(a, b):\n    """Add."""\n```<|im_end|>\n<|im_start|>assistant\n'
    )
    assert (prompt.continues, prompt.stop) == (False, ())


def test_braces_in_a_prompt_are_kept():
    task = replace(SIGNATURE, prompt="def f(x):\n    return {x}{{0}}\n")
    template = ChatTemplate(CHATML, special_tokens={})
    assert "{x}{{0}}" in render_prompt(task, PromptStyle.CHAT, chat_template=template).text


def test_chat_style_without_a_template_names_the_task_and_the_option():
    with pytest.raises(UsageError, match=r"^own/1: .*'chat' needs .*--gate-prompt: docstring"):
        render_prompt(SIGNATURE, PromptStyle.CHAT)


def test_no_stop_sequence_cuts_a_reference_solution(mbpp, mbpp_plus, humaneval):
    for name, spec in (("mbpp", mbpp), ("mbpp", mbpp_plus), ("humaneval", humaneval)):
        references = load_references(spec)
        for task in load_suite(name, [spec], resolve={}):
            for style in (PromptStyle.DOCSTRING, PromptStyle.COMPLETION, PromptStyle.PAPER):
                stop = render_prompt(task, style).stop
                assert not [text for text in stop if text in references[task.id]], task.id


TEMPLATES = {
    "chatml": CHATML,
    "tokens": "{{ bos_token }}{{ messages[0]['content'] | trim }}{{ eos_token }}{{ pad_token }}",
    "blocks": "{% for m in messages %}\n    {% if loop.first %}\n  {{ m.role }}\n    {% endif %}\n"
    "{%- if not loop.last %}{% continue %}{% endif %}\nlast: {{ m.content }}\n{% endfor %}\n",
    "tojson": "{{ messages | tojson }}{{ messages[0] | tojson(indent=2) }}"
    "{{ {'b': '<é>', 'a': 1} | tojson(sort_keys=true, ensure_ascii=true) }}",
    "generation": "a\n{% generation %}\n{{ messages[0].content }}\n{% endgeneration %}\nb",
    "namespace": "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}"
    "{% endfor %}{{ ns.n }}{{ dict(a=1) }}{{ dict.fromkeys(['x']) }}",
    "undefined": "[{{ nothing }}{{ tools is none }}{{ documents is none }}"
    "{{ add_generation_prompt }}]",
    "time": "{{ strftime_now('%Y-%m-%d') }}",
    "self": "{% set ns = namespace(self=1) %}{{ ns.self }}",
}
MESSAGES = [
    {"role": "system", "content": '  Be <brief> & "exact", ça va.\n'},
    {"role": "user", "content": "def f(x):\n\treturn {x}\n"},
]
TOKENS = {"bos_token": "<s>", "eos_token": "<|end|>"}


@pytest.mark.parametrize("add_generation_prompt", [True, False])
@pytest.mark.parametrize("source", TEMPLATES.values(), ids=TEMPLATES)
def test_templates_render_as_transformers_renders_them(source, add_generation_prompt):
    utils = pytest.importorskip("transformers.utils.chat_template_utils")
    ours = ChatTemplate(source, special_tokens=TOKENS).render(MESSAGES, add_generation_prompt)
    (theirs,), _ = utils.render_jinja_template(
        [MESSAGES], chat_template=source, add_generation_prompt=add_generation_prompt, **TOKENS
    )
    assert ours == theirs


def test_a_tokenizers_own_apply_chat_template_agrees():
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(tokenizers.models.BPE()),
        chat_template=TEMPLATES["tokens"] + CHATML,
        **TOKENS,
    )
    theirs = tokenizer.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    ours = ChatTemplate(tokenizer.chat_template, special_tokens=TOKENS).render(MESSAGES)
    assert ours == theirs


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ raise_exception('only user messages') }}", "TemplateError: only user messages"),
        ("{% if %}", "chat template:1: TemplateSyntaxError: Expected an expression"),
        ("\n{{ messages[0].content.nope.more }}", "UndefinedError: .*nope"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError: .*__class__"),
        ("{{ messages.append(1) }}", "SecurityError: .*append"),
        ("{% set ns = namespace(_a=1) %}", "SecurityError: .*'_a'"),
        ("{% set ns = namespace() %}{% set ns._b = 1 %}", "SecurityError: .*'_b'"),
        ("{{ 1 // 0 }}", "ZeroDivisionError: "),
        ("{{ messages | sort(attribute='role') | tojson + 1 }}", "chat template: TypeError: "),
    ],
)
def test_a_failing_template_is_one_usage_error(source, message):
    with pytest.raises(UsageError, match=message) as caught:
        ChatTemplate(source, special_tokens={}).render([{"role": "user", "content": "x"}])
    assert "\n" not in str(caught.value)


def test_the_messages_and_tokens_stay_the_callers():
    template = ChatTemplate("{{ messages | tojson }}", special_tokens=TOKENS)
    messages = json.loads(json.dumps(MESSAGES))
    assert json.loads(template.render(messages)) == messages == MESSAGES


def test_the_clock_is_the_machines():
    template = ChatTemplate("{{ strftime_now('%Y') }}", special_tokens={})
    assert abs(int(template.render([])) - datetime.now().year) <= 1
