"""Records of a few quantities, for tests of what is chosen among them."""

from typing import Any

from results import RunRecord
from tests.results.records_by_hand import make_record


def run(model: str, accuracy: float | None = 0.9, **fields: Any) -> RunRecord:  # noqa: ANN401
    """A record of some quantities; what is None is unknown."""
    given = {"train_time": 10.0, "peak_memory": 100.0, "num_params": 1000.0}
    given |= {name: fields.pop(name) for name in (*given, "energy") if name in fields}
    known = {name: float(value) for name, value in given.items() if value is not None}
    known |= {} if accuracy is None else {"test_accuracy": accuracy}
    return make_record(model, values=known, **fields)
