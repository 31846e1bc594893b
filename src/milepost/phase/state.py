"""The state of a phase: a dict beside its items, whose changes are journalled when it is saved."""

from __future__ import annotations

from typing import Any

import orjson

from milepost import delta
from milepost.errors import InvalidArgument, LostRecords, NotDecodable
from milepost.records import Kind
from milepost.run.session import Recorded, Session


class State:
    """The dict as the caller changes it, and its encoding as it was saved last."""

    def __init__(self, session: Session) -> None:
        """Read the state as it was saved last.

        Raises:
            LostRecords: A saved change does not fit the ones before it.
        """
        self._session = session
        self.value: dict[str, Any] = load_state(session)
        self._saved = delta.encode_state(self.value)

    def save(self) -> None:
        """Journal what changed since it was saved last; durable when this returns. No change, no record.

        Raises:
            NotEncodable: A value would not come back equal; the message names its path.
            StorageError: The medium refused; the state as saved before is whole.
        """
        if type(self.value) is not dict:
            raise InvalidArgument(f"phase.state is a {type(self.value).__name__}: a dict is needed.")
        encoded = delta.encode_state(self.value)
        change = delta.difference(self._saved, encoded)
        if change is not None:
            self._session.append([self._session.made(Kind.STATE)._replace(value=orjson.dumps(change))])
            self._saved = encoded


def load_state(session: Recorded) -> dict[str, Any]:
    """Return the state as it was saved last.

    Raises:
        LostRecords: A saved change does not fit the ones before it.
    """
    state: Any = {}
    for sequence in session.index.states:
        change = session.value(sequence)
        try:
            state = delta.apply(state, change)
        except NotDecodable as error:
            raise LostRecords(f"{session.path}: journal record {sequence} cannot be used: {error}") from error
    assert type(state) is dict, "only dicts are saved"
    return state
