"""Energy of a CPU as Linux offers it (powercap, RAPL): counters in microjoules that wrap.

Source: the kernel's Documentation/power/powercap/powercap.rst. zeus and codecarbon read the same
files; each would bring more packages than this file has functions.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
MIN_WINDOW_S = 0.1  # the counters move every millisecond
SETTLE_S = IDLE_S = 0.5  # rest before, and length of, the reading of an idle CPU
MOVES_S = 0.02  # in which a counter that works moves
READ_EVERY_S = 30.0  # they wrap after minutes: 65 kJ on some processors, drawn at 500 W, last 131 s


@dataclass(frozen=True, slots=True)
class Zone:
    """One counter: a processor package, or the memory beside it."""

    name: str  # the kernel's, such as `package-0` or `dram`
    counter: Path
    wraps_at_uj: int

    def read_uj(self) -> int:
        """Microjoules since the counter last wrapped."""
        return int(self.counter.read_text(encoding="ascii"))


@dataclass
class Rapl:
    """All processor packages of the machine, with their memory where the kernel counts that.

    What other processes draw meanwhile is in it, as it is in a GPU's counter.
    """

    zones: tuple[Zone, ...]
    now: Callable[[], float]
    min_window_s = MIN_WINDOW_S
    _last_uj: list[int] = field(default_factory=list, init=False)
    _total_uj: int = field(default=0, init=False)
    _read_at: float = field(default=0.0, init=False)

    @property
    def energy_method(self) -> str:
        """What is counted, as records tell it: energies of two methods are not compared."""
        has_dram = any(zone.name == "dram" for zone in self.zones)
        return "rapl package+dram" if has_dram else "rapl package"

    def energy_joules(self) -> float | None:
        """Energy since the first reading; None where a counter does not answer."""
        try:
            read = [zone.read_uj() for zone in self.zones]
        except (OSError, ValueError):
            return None
        for zone, before, after in zip(self.zones, self._last_uj, read, strict=False):
            wrapped = zone.wraps_at_uj if after < before else 0
            self._total_uj += after + wrapped - before
        self._last_uj, self._read_at = read, self.now()
        return self._total_uj / 1e6

    def keep_up(self) -> None:
        """Read so often that no counter wraps twice between two readings."""
        if self.now() - self._read_at > READ_EVERY_S:
            self.energy_joules()

    def power_watts(self) -> None:
        """Not told, but by two readings of the energy."""


def open_rapl(
    root: Path = POWERCAP, now: Callable[[], float] = time.monotonic
) -> tuple[Rapl | None, str]:
    """The energy counters of this machine's processors, or None and the reason."""
    try:
        # AMD's processors are listed so too; intel-rapl-mmio counts the same once more
        zones = [zone for folder in sorted(root.glob("intel-rapl:*")) if (zone := _zone(folder))]
        before = [zone.read_uj() for zone in zones]
        time.sleep(MOVES_S)
        after = [zone.read_uj() for zone in zones]
    except PermissionError as error:
        return None, f"only root may read {error.filename}; sudo chmod a+r {root}/*/energy_uj"
    except (OSError, ValueError) as error:
        return None, f"the energy counter of this CPU cannot be read: {error}"
    if not any(zone.name.startswith("package") for zone in zones):
        return None, "no energy counter (RAPL)"
    if before == after:  # a virtual machine may show one that nobody fills
        return None, "the energy counter of this CPU stands still"
    return Rapl(tuple(zones), now), ""


def _zone(folder: Path) -> Zone | None:
    """Return a package or memory; None for parts of a package (core) or what is around it (psys).

    Raises:
        OSError, ValueError: it cannot be read.
    """
    name = (folder / "name").read_text(encoding="ascii").strip()
    if not (name.startswith("package") or name == "dram"):
        return None
    wraps_at = int((folder / "max_energy_range_uj").read_text(encoding="ascii"))
    return Zone(name, folder / "energy_uj", wraps_at)


def measure_idle_power(
    root: Path = POWERCAP, now: Callable[[], float] = time.monotonic
) -> tuple[float | None, str]:
    """Watts of the CPU while this process rests, or None and the reason; takes a second."""
    counter, reason = open_rapl(root, now)
    if counter is None:
        return None, reason
    time.sleep(SETTLE_S)
    started, before = now(), counter.energy_joules()
    time.sleep(IDLE_S)
    after, seconds = counter.energy_joules(), now() - started
    if before is None or after is None:
        return None, "the energy counter stopped answering"
    return (after - before) / seconds, ""
