"""A run that is begun on one machine and carried on by another, over a network that can be cut."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machines import Machine, two_machines
from tests.support.postgres import Server, server
from tests.support.s3 import BUCKET, CREDENTIALS, S3Server
from tests.support.s3 import moto as moto_server

ITEMS = 12
JOB = """
    import sys, time
    import milepost
    from milepost.errors import Fenced

    url, slow = sys.argv[1], float(sys.argv[2])
    try:
        with milepost.Phase("work", store=url, lease_seconds=2) as phase:
            for item in phase.each([str(number) for number in range(12)]):
                print("at", item, flush=True)
                time.sleep(slow)
                phase.record(item * 3)
            print("result", phase.complete(lambda results: "".join(results.values()), phase.results()), flush=True)
    except Fenced:
        print("fenced", flush=True)
"""
RESULT = "result " + "".join(str(number) * 3 for number in range(ITEMS))


@pytest.fixture
def machines() -> Iterator[tuple[Machine, Machine]]:
    """Run two machines."""
    with two_machines() as both:
        yield both


@pytest.fixture(params=["postgresql", "s3"])
def service(request: pytest.FixtureRequest) -> Iterator[Server | S3Server]:
    """Run a service that other machines reach."""
    with server(host="*") if request.param == "postgresql" else moto_server("0.0.0.0") as one:
        yield one


def _url(service: Server | S3Server, machine: Machine) -> str:
    if isinstance(service, Server):
        url = f"postgresql://owner@{machine.here}:{service.port}/postgres"
        return f"{url}?timeout_seconds=20&tcp_user_timeout=1500&connect_timeout=2"
    endpoint = f"http://{machine.here}:{service.port}"
    return f"s3://{BUCKET}/two?endpoint={endpoint}&allow_http=1&timeout_seconds=20"


def _start(machine: Machine, service: Server | S3Server, job: Path, slow: float) -> subprocess.Popen[str]:
    words = (sys.executable, str(job), _url(service, machine), str(slow))
    return machine.start(*words, environment=CREDENTIALS)


def _wait_for(process: subprocess.Popen[str], words: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.strip())
        if words in line:
            return lines
    assert process.stderr is not None
    raise AssertionError((lines, process.stderr.read()[-3000:]))


@pytest.mark.timeout(180)
def test_a_run_is_carried_on_by_another_machine(
    machines: tuple[Machine, Machine], service: Server | S3Server, tmp_path: Path
) -> None:
    """What a killed machine acknowledged is not done again elsewhere, and the result is that of one undisturbed run."""
    a, b = machines
    job = tmp_path / "job.py"
    job.write_text(textwrap.dedent(JOB))
    first = _start(a, service, job, 0.1)
    _wait_for(first, "at 5")
    first.kill()
    first.communicate()
    second = _start(b, service, job, 0.0)
    seen = _wait_for(second, "result")
    second.communicate(timeout=60)
    assert seen[-1] == RESULT
    assert seen[0] in {"at 5", "at 6"}


@pytest.mark.timeout(180)
def test_a_machine_that_was_cut_off_is_refused_when_it_is_back(
    machines: tuple[Machine, Machine], service: Server | S3Server, tmp_path: Path
) -> None:
    """A machine whose wire was pulled is superseded, and what it writes when the wire is back is refused."""
    a, b = machines
    job = tmp_path / "job.py"
    job.write_text(textwrap.dedent(JOB))
    first = _start(a, service, job, 0.3)
    _wait_for(first, "at 3")
    a.plug(into=False)
    time.sleep(2.5)
    second = _start(b, service, job, 0.0)
    seen = _wait_for(second, "result")
    second.communicate(timeout=60)
    a.plug(into=True)
    late = _wait_for(first, "fenced")
    first.communicate(timeout=60)
    assert seen[-1] == RESULT
    assert not any(line.startswith("result") for line in late)
