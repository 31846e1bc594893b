"""Processes that stay: started once, asked many things, and let go from a barrier where they are to meet."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from threading import Barrier

Task = Callable[..., Any]
"""A function of a module: it is given what its process keeps (a dict), then the arguments."""

_PATIENCE_SECONDS = 60.0


class Refusal(NamedTuple):
    """What a task raised: the *name* of the error's class, and its *message*."""

    name: str
    message: str


class Residents:
    """Some processes, spawned and not forked, so that each opens its own connections."""

    def __init__(self, count: int) -> None:
        """Start *count* processes."""
        spawning = multiprocessing.get_context("spawn")
        barrier = self._barrier = spawning.Barrier(count)  # must live until all have it
        self._lines: list[Connection] = []
        self._processes: list[multiprocessing.process.BaseProcess] = []
        for _ in range(count):
            mine, theirs = spawning.Pipe()
            process = spawning.Process(target=_serve, args=(theirs, barrier), daemon=True)
            process.start()
            theirs.close()
            self._lines.append(mine)
            self._processes.append(process)

    def ask(self, who: int, task: Task, *arguments: object) -> Any:
        """Have process number *who* (from 0) do *task*; return what it returned, or its `Refusal`."""
        self._lines[who].send((False, task, arguments))
        return self._answer(who)

    def together(self, task: Task, *arguments: object) -> list[Any]:
        """Have all do *task* at the same moment; return what each returned or its `Refusal`."""
        for line in self._lines:
            line.send((True, task, arguments))
        return [self._answer(who) for who in range(len(self._lines))]

    def close(self) -> None:
        """Let all of them end."""
        for line in self._lines:
            line.close()
        for process in self._processes:
            process.join(_PATIENCE_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()

    def __enter__(self) -> Self:
        """Return the processes."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let all of them end."""
        self.close()

    def _answer(self, who: int) -> Any:
        if not self._lines[who].poll(_PATIENCE_SECONDS):
            raise TimeoutError(f"process {who} did not answer within {_PATIENCE_SECONDS:.0f} s")
        return self._lines[who].recv()


def winners(answers: Sequence[Any], *losses: str) -> list[int]:
    """Return who was not refused; each refusal must be one of the names *losses*."""
    odd = [answer for answer in answers if isinstance(answer, Refusal) and answer.name not in losses]
    assert not odd, f"refused for another reason: {odd}"
    return [who for who, answer in enumerate(answers) if not isinstance(answer, Refusal)]


def _serve(line: Connection, barrier: Barrier) -> None:
    kept: dict[str, Any] = {}
    while True:
        try:
            meet, task, arguments = line.recv()
        except EOFError:
            return
        if meet:
            barrier.wait(_PATIENCE_SECONDS)
        try:
            answer = task(kept, *arguments)
        except Exception as error:  # noqa: BLE001 -- whoever asked judges it
            answer = Refusal(type(error).__name__, str(error))
        line.send(answer)
