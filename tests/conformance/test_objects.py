"""S3 servers, put through the suites that any store can be put through."""

from __future__ import annotations

from functools import partial

import pytest

from milepost.stores.objects import open_objects
from milepost.testing.conformance import BackDoor, Opener, RunConformance, StoreConformance
from tests.support.back_doors import S3Door
from tests.support.s3 import CREDENTIALS, S3Server


class _Bucket(StoreConformance, RunConformance):
    tells_overlaps = False  # a batch is an object under its first number
    examples = 4
    run_examples = 3
    rounds = 4

    @pytest.fixture(autouse=True)
    def _credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)

    @pytest.fixture
    def url(self, server: S3Server) -> str:
        return server.fresh()

    @pytest.fixture
    def opener(self, url: str) -> Opener:
        return partial(open_objects, url)

    @pytest.fixture
    def back_door(self, server: S3Server, url: str) -> BackDoor:
        return S3Door(server.client(), url)


class TestMoto(_Bucket):
    @pytest.fixture
    def server(self, moto: S3Server) -> S3Server:
        return moto


class TestSeaweed(_Bucket):
    @pytest.fixture
    def server(self, seaweed: S3Server) -> S3Server:
        return seaweed
