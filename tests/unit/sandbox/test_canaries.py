from __future__ import annotations

import re

import pytest

from pytest_anchorgate.errors import CanaryError
from pytest_anchorgate.sandbox import canaries
from pytest_anchorgate.sandbox.outcome import Kind, Outcome
from pytest_anchorgate.sandbox.run import Sandbox


def test_every_canary_ends_as_it_must(tier):
    with Sandbox(tier) as sandbox:
        canaries.require_canaries(sandbox)


@pytest.mark.parametrize("canary", canaries.CANARIES, ids=lambda canary: canary.name)
def test_a_sandbox_that_gets_one_wrong_is_not_believed(canary):
    wrong = Kind.ASSERTION if canary.kind is Kind.PASSED else Kind.PASSED

    class Lying:
        def run(self, program, *_, **__):
            kind = next(c.kind for c in canaries.CANARIES if c.program == program)
            return Outcome(kind=wrong if program == canary.program else kind, reason="so")

    message = f"the canary {canary.name!r} must end as {canary.kind} and ended as {wrong} (so). "
    with pytest.raises(CanaryError, match=re.escape(message)):
        canaries.require_canaries(Lying())
