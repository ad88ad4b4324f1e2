"""Which isolation programs run under: the strongest that works, or what was asked for."""

from __future__ import annotations

import threading

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.sandbox.process import Refused, Zygote

TIERS = ("namespaces", "landlock", "rlimits")  # strongest first


def settle_tier(asked: str, *, unattended: bool = False) -> str:
    """Return the tier that ``asked`` means here, having started it once.

    :raises SandboxError: when what was asked for cannot be had.
    :raises UsageError: when ``auto`` finds no walls and nobody watches (``unattended``).
    """
    tier, zygote = start_zygote(asked, unattended=unattended)
    zygote.stop()
    return tier


def start_zygote(asked: str, *, unattended: bool = False) -> tuple[str, Zygote]:
    """Return the tier that ``asked`` means here with a zygote of it; raises as `settle_tier`."""
    refusals = []
    for tier in TIERS if asked == "auto" else (asked,):
        try:
            zygote = Zygote(tier)
        except Refused as refused:
            refusals.append(str(refused))
            continue
        if tier == "rlimits" and asked == "auto" and unattended:
            zygote.stop()
            raise UsageError(
                "--gate-sandbox=auto: only rlimits work here, which wall nothing off, and CI is "
                f"set. {' '.join(refusals)} Or ask for it: --gate-sandbox=rlimits."
            )
        return tier, zygote
    raise Refused(" ".join(refusals))


class StartingZygote:
    """A zygote that starts on a thread while its user does something else."""

    def __init__(self, asked: str, *, unattended: bool) -> None:
        self._asked, self._unattended = asked, unattended
        self._started: tuple[str, Zygote] | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._start, name="anchorgate-zygote", daemon=True)
        self._thread.start()

    def _start(self) -> None:
        try:
            self._started = start_zygote(self._asked, unattended=self._unattended)
        except BaseException as error:
            self._error = error

    def take(self) -> tuple[str, Zygote]:
        """Return what `start_zygote` returned, or raise what it raised, once; then it is gone."""
        self._thread.join()
        started, self._started = self._started, None
        if started is None:
            assert self._error is not None, "a zygote is taken once"
            raise self._error
        return started
