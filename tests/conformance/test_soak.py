"""The suites with thousands of races, and state machines that try hundreds of ways."""

from __future__ import annotations

import pytest

from tests.conformance.test_folders import TestFolders as _Folders
from tests.conformance.test_memory import TestMemory as _Memory
from tests.conformance.test_objects import TestMoto as _Moto
from tests.conformance.test_objects import TestSeaweed as _Seaweed
from tests.conformance.test_sql import TestPostgresql as _Postgresql
from tests.conformance.test_sql import TestSqlite as _Sqlite

pytestmark = pytest.mark.soak


class _Long:
    examples = 400
    run_examples = 400
    races = 5000
    rounds = 500


class TestMemoryLong(_Long, _Memory):
    pass


class TestFoldersLong(_Long, _Folders):
    pass


class TestSqliteLong(_Long, _Sqlite):
    pass


class TestPostgresqlLong(_Long, _Postgresql):
    pass


class TestMotoLong(_Long, _Moto):
    pass


class TestSeaweedLong(_Long, _Seaweed):
    pass
