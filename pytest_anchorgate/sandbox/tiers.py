"""Which isolation programs run under: the strongest that works, or what was asked for."""

from __future__ import annotations

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.sandbox.process import Refused, Zygote

TIERS = ("namespaces", "landlock", "rlimits")  # strongest first


def settle_tier(asked: str, *, unattended: bool = False) -> str:
    """Return the tier that ``asked`` means here, having started it once.

    :raises SandboxError: when what was asked for cannot be had.
    :raises UsageError: when ``auto`` finds no walls and nobody watches (``unattended``).
    """
    refusals = []
    for tier in TIERS if asked == "auto" else (asked,):
        try:
            Zygote(tier).stop()
        except Refused as refused:
            refusals.append(str(refused))
            continue
        if tier == "rlimits" and asked == "auto" and unattended:
            raise UsageError(
                "--gate-sandbox=auto: only rlimits work here, which wall nothing off, and CI is "
                f"set. {' '.join(refusals)} Or ask for it: --gate-sandbox=rlimits."
            )
        return tier
    raise Refused(" ".join(refusals))
