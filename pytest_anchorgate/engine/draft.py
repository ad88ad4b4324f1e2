"""A recorded answer as a guess at the next one: what to try, and when to stop trying.

A guess costs time when it is wrong and never changes an answer: the model decides every token.
Where the answer leaves the record, the guess is found again as in prompt lookup decoding
(https://github.com/apoorvumang/prompt-lookup-decoding). Knows token ids, no model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

FIRST = 16  # tokens of the first guess: what a record that is all wrong costs
AFTER = 4  # tokens of the guess after a wrong one
GROWTH = 4  # times as many after a right one; a first one that is right is followed by all
PATIENCE = 2  # guesses of which not one token is right, before only a sure one is made
SURE = 3  # tokens found again in the record that make a guess sure
LONGEST = 4  # tokens that are looked for
NEAR = 4  # places around the expected one where a single token is found again


class Draft:
    """One recorded answer beside the answer that is being decoded.

    Where the answer's last tokens are nowhere in the record, one of its tokens is taken to stand
    in another's place.
    """

    def __init__(self, recorded: Sequence[int], eos_ids: Collection[int]) -> None:
        ended = bool(recorded) and recorded[-1] in eos_ids
        # After EOS nothing is decoded, so it is never guessed: the model says it last.
        self.recorded = tuple(recorded[:-1] if ended else recorded)
        self._at = 0  # where the record is believed to go on
        self._width = FIRST
        self._misses = 0
        self._sure = False

    def guess(self, room: int) -> tuple[int, ...]:
        """Return at most ``room`` tokens that may come next."""
        if self._misses >= PATIENCE and not self._sure:
            return ()
        return self.recorded[self._at : self._at + min(self._width, room)]

    def learn(self, answer: Sequence[int], *, gained: int, guessed: int) -> None:
        """Take note of an answer of which the last ``gained`` tokens are new.

        All of these but the last were guessed right, of ``guessed`` tokens.
        """
        right, expected = gained - 1, self._at + gained
        goes_on = self.recorded[self._at : expected] == tuple(answer[-gained:])
        if right or goes_on:
            self._misses = 0
        elif guessed:
            self._misses += 1
        if right < guessed:
            self._width = AFTER
        elif guessed:
            self._width = len(self.recorded) if self._width == FIRST else self._width * GROWTH
        self._at = expected
        if not goes_on:
            self._find(answer)

    def _find(self, answer: Sequence[int]) -> None:
        """Find where the record most likely goes on after the answer's last tokens."""
        expected, self._sure = self._at, False
        for length in range(min(LONGEST, len(answer)), 0, -1):
            places = list(self._places(tuple(answer[-length:])))
            if length == 1:
                places = [at for at in places if abs(at - expected) <= NEAR]
            if places:
                self._at = min(places, key=lambda at: abs(at - expected))
                self._sure = length >= SURE
                return

    def _places(self, tokens: tuple[int, ...]) -> Iterator[int]:
        """Yield each place of the record that these tokens stand before."""
        length = len(tokens)
        for at in range(length, len(self.recorded) + 1):
            if self.recorded[at - length : at] == tokens:
                yield at
