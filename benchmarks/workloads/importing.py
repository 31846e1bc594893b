"""`import milepost` in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.goals import FOREIGN
from benchmarks.model import Contender, Workload
from benchmarks.subject import Facts, Subject

_NEEDED = {"milepost", "orjson", "xxhash"}
_LIST = "import sys, json; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


class Import(Subject):
    """Starts an interpreter that runs one statement."""

    def run(self) -> None:
        """Start it and wait for its end."""
        subprocess.run([sys.executable, "-c", self.settings["statement"]], check=True)


class ImportMilepost(Import):
    """Ours; the turn that warms up also looks at what was loaded."""

    foreign: set[str] | None = None

    def settle(self) -> Facts:
        """Name every module that is neither Python's nor one of ours or our two needs."""
        if self.foreign is None:
            bare = _modules("pass")
            foreign = _modules("import milepost") - bare - set(sys.stdlib_module_names) - _NEEDED
            # How Python was built: a module of its own whose name differs from machine to machine.
            self.foreign = {name for name in foreign if not name.startswith("_sysconfigdata_")}
        return {FOREIGN: len(self.foreign), **({"namely": ", ".join(sorted(self.foreign))} if self.foreign else {})}


def _modules(statement: str) -> set[str]:
    listed = subprocess.run([sys.executable, "-c", f"{statement}\n{_LIST}"], check=True, capture_output=True, text=True)
    return set(json.loads(listed.stdout))


def _contender(name: str, statement: str, subject: str = "Import") -> Contender:
    return Contender(name, f"{__name__}:{subject}", settings={"statement": statement})


WORKLOADS = (
    Workload(
        name="import",
        group="Import in a fresh interpreter",
        label="import",
        contenders=(
            _contender("bare Python", "pass"),
            _contender("import json", "import json"),
            _contender("import milepost", "import milepost", "ImportMilepost"),
        ),
        floor="bare Python",
        also_against=("import json",),
        burst=7,
        counts_syncs=False,
    ),
)
