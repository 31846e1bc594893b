"""What every test of the library stands on."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is not a failing test: a deadline measures the neighbours.
settings.register_profile("milepost", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("milepost")


@pytest.fixture(scope="session")
def postgres() -> Iterator[object]:
    """Run a PostgreSQL server for this process's tests."""
    from tests.support.postgres import server

    with server() as one:
        yield one


@pytest.fixture(autouse=True)
def _stores_are_closed() -> Iterator[None]:
    """Let no test leave a connection behind."""
    yield
    from milepost.stores.opening import close_stores

    close_stores()
