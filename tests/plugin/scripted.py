"""An engine that answers from a file: the one fake, for tests of what surrounds an engine.

``answers.json`` in the working directory maps prompts to completions, and where there is one
``answers-NAME.json`` does so for the pack NAME. Three completions do something else: ``<die>``
kills the process, ``<hang>`` never answers, ``<slow>`` takes seconds.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from pytest_anchorgate.engine.protocol import Completion, FinishReason, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_anchorgate.pack.format import Pack


class ScriptedEngine:
    def __init__(self, pack: Pack) -> None:
        self.tokenizer = Tokenizer.from_str(pack.asset("tokenizer.json").decode())
        own = Path(f"answers-{pack.path.stem}.json")
        answers = own if own.exists() else Path("answers.json")
        self.answers = json.loads(answers.read_text("utf-8"))
        with Path("loads.log").open("a") as log:
            log.write(f"{os.getpid()}\n")

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        for request in sorted(requests, key=lambda request: request.rank):
            with Path("requests.log").open("a") as log:
                log.write(f"{request.rank} {len(request.draft)}\n")
            text = self.answers.get(self.tokenizer.decode(list(request.prompt_ids)), "nothing")
            if text == "<die>":
                os.kill(os.getpid(), signal.SIGKILL)
            if text == "<hang>":
                time.sleep(600)
            if text == "<slow>":
                time.sleep(3)
            yield Completion(
                key=request.key,
                text=text,
                token_ids=tuple(self.tokenizer.encode(text).ids),
                finish_reason=FinishReason.EOS,
                margin=None,
                seconds=0.0,
            )
