"""What earlier runs on this machine have timed for `--plan auto`.

Timings are kept, not choices: the best plan depends on the budget, and is chosen anew each time.
"""

import hashlib
import json
import math
from collections.abc import Iterable
from contextlib import suppress

import torch

from bench.errors import UsageError
from bench.machine.cache import read_cached, write_cached
from bench.machine.environment import describe_environment
from bench.machine.provenance import source_hash
from bench.plans.probe import PlanCandidate
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec

ALL = 1_000_000  # steps: more than a probe ever takes


def cache_name(spec: RunSpec, device: torch.device) -> str:
    """File of the timings of a model under a recipe, on this device, with this very source."""
    plain = spec.as_plain()
    parts = [
        *(plain[key] for key in ("model", "model_hash", "recipe", "deterministic")),
        describe_environment(device, data_hash=""),
        source_hash(),
    ]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"plans/{digest[:16]}.json"


def read_timings(name: str) -> dict[Plan, PlanCandidate]:
    """Plans that were timed before; empty where nothing usable is kept."""
    kept = (read_cached(name) or {}).get("timings")
    found: dict[Plan, PlanCandidate] = {}
    for plain in kept if isinstance(kept, list) else ():
        with suppress(KeyError, TypeError, ValueError, AttributeError, UsageError):
            candidate = PlanCandidate.from_plain(plain)
            if _is_possible(candidate):
                found[candidate.plan] = candidate
    return found


def _is_possible(candidate: PlanCandidate) -> bool:
    """Whether these are times: damaged ones would choose a plan by what nobody has measured."""
    seconds = candidate.step_seconds
    is_timed = bool(seconds) and all(0 < s < math.inf for s in seconds)
    return is_timed and 0 <= candidate.compile_s < math.inf


def write_timings(name: str, candidates: Iterable[PlanCandidate]) -> None:
    """Keeps what was timed beside what is kept already; a failure is tried again the next time."""
    timed = {c.plan: c for c in candidates if c.step_seconds and c.error is None}
    merged = read_timings(name) | timed
    write_cached(name, {"timings": [c.as_plain(digits=12, fastest=ALL) for c in merged.values()]})
