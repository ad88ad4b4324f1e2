"""Greedy decoding of one batch, several tokens a pass where a draft guesses them right.

Every pass decides the token after each of its inputs; the inputs are the row's newest token and
what its draft guesses. Guessed tokens up to the first wrong one are the answer's, and one more,
which the model gave. Knows token ids and stop sequences, not tasks or verdicts.
"""

from __future__ import annotations

import itertools
import os.path
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from pytest_anchorgate.engine.cache import keep, new_cache
from pytest_anchorgate.engine.protocol import FinishReason, Parting

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pytest_anchorgate.engine.draft import Draft
    from pytest_anchorgate.engine.head import Head
    from pytest_anchorgate.engine.protocol import Request

CHUNK = 8  # tokens of a row between two looks for its stop sequences
SHARED = 32  # tokens that all prompts must begin with to be read once for all
WASTE = 0.5  # of a pass that padding may be
DEAD = 0.3  # of the slots that may be dead before they are cleared away


@dataclass(slots=True)
class Row:
    """One request on its way: its answer so far, a margin for each token."""

    request: Request
    draft: Draft | None
    token_ids: list[int] = field(default_factory=list)
    margins: list[float] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    searched: int = 0  # tokens in which no stop sequence ends
    parting: Parting | None = None
    parted: bool = False  # from what was recorded, there or at its end

    @property
    def room(self) -> int:
        """How many tokens more the answer may have."""
        return self.request.max_new_tokens - len(self.token_ids)

    def guess(self) -> tuple[int, ...]:
        """Return what the draft says comes next; the pass itself gives one token more."""
        return self.draft.guess(self.room - 1) if self.draft is not None else ()

    def cut(self, length: int, reason: FinishReason) -> None:
        """End the answer after its first ``length`` tokens."""
        del self.token_ids[length:], self.margins[length:]
        self.finish_reason = reason


class Batch:
    """Rows that are decoded side by side, with the keys and values of what they have read."""

    def __init__(
        self,
        rows: Sequence[Row],
        *,
        head: Head,
        decode: Callable[[Sequence[int]], str],
        eos_ids: Collection[int],
    ) -> None:
        self.rows = list(rows)
        self.head = head
        self.decode = decode
        self.eos_ids = frozenset(eos_ids)
        self.device = head.device
        self.cache = new_cache(head.model.config)
        self.mask = torch.zeros(len(rows), 0, dtype=torch.bool, device=self.device)  # (B, slots)

    @torch.inference_mode()
    def run(self) -> None:
        """Decode every row to its end."""
        shared = self._read_shared()
        unread: list[Sequence[int]] = [row.request.prompt_ids[shared:] for row in self.rows]
        while self.rows:
            self._advance(unread)
            self._drop_finished()
            unread = [row.token_ids[-1:] for row in self.rows]

    def _read_shared(self) -> int:
        """Read what all prompts begin with once, for all rows; return how many tokens that is."""
        prompts = [row.request.prompt_ids for row in self.rows]
        shared = len(os.path.commonprefix(prompts))  # noqa: RUF071 - token by token is meant
        shared = min(shared, *(len(prompt) - 1 for prompt in prompts))
        if len(prompts) == 1 or shared < SHARED or not self.head.has_slots:
            return 0
        ids = torch.tensor([prompts[0][:shared]], device=self.device)
        positions = torch.arange(shared, device=self.device)[None]
        self.head.best(ids, torch.ones_like(ids), positions, self.cache, width=1)
        rows = torch.zeros(len(prompts), dtype=torch.long, device=self.device)
        self.mask = keep(self.cache, rows, torch.ones_like(ids, dtype=torch.bool))
        return shared

    def _advance(self, unread: Sequence[Sequence[int]]) -> None:
        """Read what each row has not read, and its guess; take the tokens that this decides."""
        guesses = self._guesses()
        ids, real = self._inputs(unread, guesses)
        width = max(map(len, guesses)) + 1
        positions = (self.mask.sum(1, keepdim=True) + real.cumsum(1) - 1).clamp(min=0)  # (B, T)
        choices, margins = self.head.best(
            ids, torch.cat([self.mask, real], 1), positions, self.cache, width=width
        )
        first = ids.shape[1] - width + 1  # the column of the first guessed token
        right = (ids[:, first:] == choices[:, :-1]) & real[:, first:]  # (B, W - 1)
        right = right.cumprod(1).bool()
        read = torch.cat([real[:, :first], right], 1)
        self.mask = torch.cat([self.mask, read], 1)
        gained = (right.sum(1) + 1).tolist()
        rows = zip(self.rows, guesses, choices.tolist(), margins.tolist(), gained, strict=True)
        for row, guess, tokens, gaps, count in rows:
            row.token_ids += tokens[:count]
            row.margins += gaps[:count]
            if row.draft is not None:
                row.draft.learn(row.token_ids, gained=count, guessed=len(guess))
        self._note_partings(gained)
        for row, count in zip(self.rows, gained, strict=True):
            self._end(row, count)

    def _note_partings(self, gained: Sequence[int]) -> None:
        """Note where rows have just left what was recorded, and how likely both tokens were."""
        found = []
        for index, (row, count) in enumerate(zip(self.rows, gained, strict=True)):
            recorded, start = row.request.draft, len(row.token_ids) - count
            if row.draft is None or row.parted:
                continue
            same = zip(row.token_ids[start:], recorded[start:], strict=False)
            at = start + sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], same))
            row.parted = at < len(row.token_ids)
            if row.parted and at < len(recorded):
                found.append((index, at, at - start, (row.token_ids[at], recorded[at])))
        if not found:
            return
        rows, places, columns, tokens = zip(*found, strict=True)
        chances = self.head.probabilities(rows, columns, tokens)
        for index, at, (now, before) in zip(rows, places, chances, strict=True):
            self.rows[index].parting = Parting(at, now, before)

    def _guesses(self) -> list[tuple[int, ...]]:
        """Return each row's guess, the longest ones cut where the pass would be padding mostly."""
        guesses = [row.guess() for row in self.rows]
        lengths = [len(guess) for guess in guesses]
        for width in sorted(set(lengths), reverse=True):
            real = sum(min(length, width) + 1 for length in lengths)
            if real >= len(lengths) * (width + 1) * (1 - WASTE):
                return [guess[:width] for guess in guesses]
        return [()] * len(guesses)

    def _inputs(
        self, unread: Sequence[Sequence[int]], guesses: Sequence[Sequence[int]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids (B, T) and which of them are real.

        Padded left of what is unread and right of the guesses, so that tokens are decided in the
        same last columns of every row.
        """
        left, right = max(map(len, unread)), max(map(len, guesses))
        pad = min(self.eos_ids)  # masked, so any id that exists will do
        rows, marks = [], []
        for known, guess in zip(unread, guesses, strict=True):
            before, after = left - len(known), right - len(guess)
            rows.append([pad] * before + [*known, *guess] + [pad] * after)
            marks.append([False] * before + [True] * (len(known) + len(guess)) + [False] * after)
        return (
            torch.tensor(rows, device=self.device),
            torch.tensor(marks, device=self.device),
        )

    def _end(self, row: Row, gained: int) -> None:
        """Decide whether the newest tokens end the row, and where."""
        first = len(row.token_ids) - gained
        if not self.eos_ids.isdisjoint(row.token_ids[first:]):
            ends = (
                at for at in range(first, len(row.token_ids)) if row.token_ids[at] in self.eos_ids
            )
            row.cut(next(ends) + 1, FinishReason.EOS)
        elif row.room <= 0:
            row.finish_reason = FinishReason.LENGTH
        if row.request.stop and (row.finish_reason or len(row.token_ids) - row.searched >= CHUNK):
            self._search(row)

    def _search(self, row: Row) -> None:
        """Look for a stop sequence in the tokens that came since the last look.

        A token is at least one byte, so a stop sequence lies within its own number of bytes of
        tokens; three more complete a character that the window's start may cut.
        """
        stop = row.request.stop
        window = max(len(sequence.encode()) for sequence in stop) + 3
        end = len(row.token_ids) - (row.finish_reason is FinishReason.EOS)
        if self._holds(row.token_ids[max(0, row.searched + 1 - window) : end], stop):
            for last in range(row.searched + 1, end + 1):
                if self._holds(row.token_ids[max(0, last - window) : last], stop):
                    row.cut(last, FinishReason.STOP)
                    return
        row.searched = end

    def _holds(self, token_ids: Sequence[int], stop: Sequence[str]) -> bool:
        text = self.decode(token_ids)
        return any(sequence in text for sequence in stop)

    def _drop_finished(self) -> None:
        """Let finished rows leave, and clear away dead slots when there are many."""
        going = [index for index, row in enumerate(self.rows) if row.finish_reason is None]
        self.rows, left = [self.rows[index] for index in going], len(self.rows) - len(going)
        if not going:
            return
        slots, most = self.mask.shape[1], int(self.mask.sum(1).max())
        if left or (self.head.has_slots and slots > most * (1 + DEAD) + CHUNK):
            rows = torch.tensor(going, device=self.device)
            self.mask = keep(self.cache, rows, self.mask)
