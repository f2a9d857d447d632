"""The rule of `compare`: margins and thresholds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What decides; fractions, but for the bytes.

    Attributes:
        threshold: change of seconds, joules or peak memory that counts.
        margin: of mean accuracy that may be lost.
        least_change: that an interval must clear as well, where processes were repeated.
        process_sd: standard deviation of what processes alone do, where they were not.
        error_rate: of the intervals of costs, all rows together.
        memory_bytes: that peak memory must change by as well: of a small model much is little.
    """

    threshold: float = 0.10
    margin: float = 0.01
    least_change: float = 0.02
    process_sd: float = 0.20
    error_rate: float = 0.05
    memory_bytes: int = 8 * 2**20
