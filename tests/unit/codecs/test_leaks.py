"""No key and no plaintext appears where nobody looks for it: logs, reprs, tracebacks, files, arguments of processes."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import textwrap
import traceback
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path

import pytest

import milepost
from milepost import Codec, keys
from milepost.errors import KeyMissing, MilepostError, NotEncrypted, Tampered, WrongKey
from tests.support.coded import (
    BOTH,
    MARK,
    NEW,
    OLD,
    PLAIN,
    SEALED,
    SECRET_VALUE,
    as_records,
    forged,
    raw_lines,
    read_run,
    ring,
    some_records,
    write_run,
)
from tests.support.commands import files_of

KEY = urlsafe_b64decode(OLD)
FORMS = [OLD, OLD.rstrip("="), KEY.decode(), KEY.hex(), repr(KEY)[2:-1]]


def told(text: str) -> list[str]:
    """Return which secrets stand in a text."""
    return [form for form in [*FORMS, SECRET_VALUE] if form in text]


def wrong_key(folder: Path) -> None:
    """Read under another key."""
    write_run(folder, some_records(3))
    read_run(folder, Codec(encrypt=ring(NEW)))


def tampered(folder: Path) -> None:
    """Read what a forger swapped."""
    write_run(folder / "made", some_records(3))
    first, second, third = as_records(raw_lines(folder / "made"))
    forged(folder / "forged", [first, third, second])
    read_run(folder / "forged")


def no_key(folder: Path) -> None:
    """Read without a key."""
    write_run(folder, some_records(3))
    read_run(folder, None)


def plain(folder: Path) -> None:
    """Go on encrypted where the run is plain."""
    write_run(folder, some_records(3), PLAIN)
    read_run(folder, SEALED)


FAILING: dict[type[MilepostError], Callable[[Path], None]] = {
    WrongKey: wrong_key,
    Tampered: tampered,
    KeyMissing: no_key,
    NotEncrypted: plain,
}


@pytest.mark.parametrize("error", FAILING)
def test_no_traceback_tells_a_key(
    error: type[MilepostError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error's message, its causes, its tracebacks with all locals of ours and the log tell no key."""
    monkeypatch.delenv("MILEPOST_KEY", raising=False)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(error) as caught:
        FAILING[error](tmp_path)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    locals_of_ours = [str(frame.locals) for frame in shown.stack if f"{os.sep}milepost{os.sep}" in frame.filename]
    assert locals_of_ours
    text = "".join(shown.format(chain=True)) + str(caught.value.args) + caplog.text
    assert [form for form in FORMS if form in text + "".join(locals_of_ours)] == []
    if error is not NotEncrypted:
        assert SECRET_VALUE not in str(caught.value) + caplog.text + "".join(locals_of_ours)


def test_no_file_shows_a_value_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a run is written, rekeyed and forked, no file shows a value, not even a temporary or quarantined one."""
    from milepost.fs import system

    seen: list[bytes] = []
    real = system.SystemFiles.write

    def write(self: system.SystemFiles, file: int, data: bytes | memoryview, offset: int) -> int:
        seen.append(bytes(data))
        return real(self, file, data, offset)

    monkeypatch.setattr(system.SystemFiles, "write", write)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "temporary").mkdir()
    root = tmp_path / "store"
    with milepost.CheckpointManager("states", root, codec=BOTH) as manager:
        manager.save_checkpoint(1, {"texts": [SECRET_VALUE] * 50}, {"note": SECRET_VALUE}, force=True)
        manager.save_checkpoint(2, {"texts": [SECRET_VALUE] * 51})
    with milepost.Phase("items", store=root, codec=SEALED, params={"word": SECRET_VALUE}) as phase:
        for _ in phase.each(["a", "b"]):
            phase.record([SECRET_VALUE])
        phase.complete(SECRET_VALUE)
    with pytest.raises(milepost.Changed), milepost.Phase("items", store=root, codec=SEALED, params={"word": "b"}):
        pass
    assert len(seen) > 20
    assert [data for data in seen if MARK in data or any(form.encode() in data for form in FORMS)] == []
    assert list(files_of(tmp_path / "temporary")) == []


def test_no_argument_of_a_process_tells_a_key(tmp_path: Path) -> None:
    """A real command that is given a key file shows only the file's path in its arguments, and tells no key."""
    with milepost.Phase("items", store=tmp_path / "store", codec=SEALED) as phase:
        for _ in phase.each(["a"]):
            phase.record(SECRET_VALUE)
    key_file = tmp_path / "keys.txt"
    key_file.write_text(OLD)
    key_file.chmod(0o600)
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from milepost.cli.app import main
        left = main(sys.argv[1:])
        sys.stderr.write(Path("/proc/self/cmdline").read_text())
        sys.exit(left)
    """)
    for arguments in (["show", "items", "--dir"], ["verify", "--dir"], ["rekey", "items", "--dir"]):
        command = [sys.executable, "-c", code, "--key-file", str(key_file), *arguments, str(tmp_path / "store")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert str(key_file) in done.stderr
        assert [form for form in FORMS if form in done.stdout + done.stderr] == []
        assert SECRET_VALUE not in done.stdout


def test_a_forked_child_seals_under_a_subkey_of_its_own() -> None:
    """Parent and child that seal the same text after a fork share neither subkey nor nonce."""
    from milepost.codec.cipher import NONCE_BYTES, SALT_BYTES, Sealer, unseal_text

    secret = ring(OLD).first.secret
    sealer = Sealer(secret, b"record run")
    before = sealer.seal(b"text", b"bound")
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        os.write(writer, sealer.seal(b"text", b"bound"))
        os._exit(0)
    os.waitpid(pid, 0)
    child = os.read(reader, 1000)
    parent = sealer.seal(b"text", b"bound")
    assert child[:SALT_BYTES] != parent[:SALT_BYTES] == before[:SALT_BYTES]
    nonces = {one[SALT_BYTES : SALT_BYTES + NONCE_BYTES] for one in (before, child, parent)}
    assert len(nonces) == 3
    assert unseal_text(secret, child, b"bound", b"record run") == b"text"
    assert keys.new() not in repr(sealer)
