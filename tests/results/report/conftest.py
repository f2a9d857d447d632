"""What a report shows of records made by hand, read once for all tests that change none of it."""

import pytest

from results.report.material import Material, gather
from tests.results.records_by_hand import make_sweep
from tests.results.report.charts_by_hand import make_material
from tests.results.report.report_by_hand import AWKWARD, finished, make_report_records, write_store


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """With samples: models of several seeds, one at chance, one that failed, one ill named."""
    folder = tmp_path_factory.mktemp("run")
    write_store(folder, [*make_report_records(), finished(AWKWARD, 0, 0.9, 1.0, 5000)])
    return gather([folder])


@pytest.fixture(scope="session")
def sweep() -> Material:
    """Without samples: the sweep of the tests of tables."""
    return make_material(make_sweep())
