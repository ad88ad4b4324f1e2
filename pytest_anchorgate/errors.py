"""Every error this package raises on purpose.

::

    AnchorgateError          a caller may show the text as it is: one line, no traceback
    ├── UsageError           an option, recipe or command names something that cannot be
    │   └── TaskFileError    a task, sample or reference in a file is wrong (file:line)
    ├── PackError            a pack or a model directory cannot be read or trusted
    ├── CertificateError     a certificate cannot be read, trusted or written
    ├── LedgerError          the ledger cannot be read or written
    ├── PromotionError       which pack is in production could not be changed, and why
    │   └── LockHeldError    another process is changing it
    ├── StoreError           the completion store cannot be used
    ├── EngineError          the model's process died or cannot answer
    ├── SurgeryError         the process that trains or folds died
    ├── InvalidTrainingError training ended and nothing can come of it
    └── SandboxError         our own machinery broke while running a program
        └── CanaryError      a program whose verdict is known got another one

Messages read ``<where>: <what is wrong, with the value>. <what to do.>``
"""

from __future__ import annotations


class AnchorgateError(Exception):
    """The root: its text is one line that a user can act on."""


class UsageError(AnchorgateError):
    """The user asked for something that cannot be."""


class TaskFileError(UsageError):
    """A row of a task or sample file is wrong."""


class PackError(AnchorgateError):
    """A pack or model directory cannot be read or trusted."""


class CertificateError(AnchorgateError):
    """A certificate cannot be read, trusted or written."""


class LedgerError(AnchorgateError):
    """The ledger cannot be read or written."""


class PromotionError(AnchorgateError):
    """Which pack is in production could not be changed."""


class LockHeldError(PromotionError):
    """Another process is changing which pack is in production."""


class StoreError(AnchorgateError):
    """The completion store cannot be used."""


class EngineError(AnchorgateError):
    """The model's process died or cannot answer."""


class SurgeryError(AnchorgateError):
    """The process that trains or folds died."""


class InvalidTrainingError(AnchorgateError):
    """Training ended and nothing can come of it; the message has the number that says so."""


class SandboxError(AnchorgateError):
    """Our machinery broke while running a program; never charged to the model."""


class CanaryError(SandboxError):
    """A program whose verdict is known got another one: no verdict can be believed."""
