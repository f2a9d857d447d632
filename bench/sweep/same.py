"""Whether a store holds the same sweep: its environment and its configurations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError
from bench.spec.run_spec import RunSpec

if TYPE_CHECKING:
    from results import RunRecord, RunStore


def check_same(store: "RunStore", specs: Sequence[RunSpec], environment: dict[str, Any]) -> None:
    """Refuses to mix a sweep into the records of another."""
    records = store.read()
    check_environment(store, records, environment)
    for model in {spec.model for spec in specs}:  # a published one may have several recipes
        config_ids = {spec.config_id for spec in specs if spec.model == model}
        check_configurations(store, records, model, config_ids)


def check_environment(
    store: "RunStore", records: "Sequence[RunRecord]", environment: dict[str, Any]
) -> None:
    """Refuses a store that was begun in another environment."""
    for key in sorted({key for r in records for key in r.environment} | set(environment)):
        if any(r.environment.get(key) != environment.get(key) for r in records):
            raise UsageError(
                f"{store.folder} was begun with another {key} than {environment.get(key)}; "
                "resume where it was begun, or name another --out"
            )


def check_configurations(
    store: "RunStore", records: "Sequence[RunRecord]", model: str, config_ids: set[str]
) -> None:
    """Refuses a store that holds a model under other configurations than these."""
    if {r.config_id for r in records if r.spec["model"] == model} - config_ids:
        raise UsageError(
            f"{store.folder} holds {model} under another specification; "
            "resume with the options it was begun with, or name another --out"
        )
