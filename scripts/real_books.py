"""Runs booksynth over real books: documents of Debian packages, fetched with apt, in PDF, EPUB, HTML and text.

`make real-books` runs it. It needs apt, dpkg-deb and the network, says so where one is missing, and has no part in CI.
What it fetches lies below build/real-books/, and nothing of it is committed.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "build/real-books"
# A book on the shelf: the package, the path in it, the name on the shelf.
BOOKS = (
    ("developers-reference", "usr/share/developers-reference/developers-reference.pdf", "developers-reference.pdf"),
    ("developers-reference", "usr/share/developers-reference/developers-reference.epub", "developers-reference.epub"),
    ("debian-policy", "usr/share/doc/debian-policy/policy.pdf.gz", "policy.pdf"),
    ("debian-policy", "usr/share/doc/debian-policy/policy.epub", "policy.epub"),
    ("debian-policy", "usr/share/doc/debian-policy/policy.html", "policy"),
    ("debian-policy", "usr/share/doc/debian-policy/policy.txt.gz", "policy.txt"),
    ("debian-reference-en", "usr/share/debian-reference/debian-reference.en.pdf", "debian-reference.pdf"),
    ("debian-reference-en", "usr/share/debian-reference/debian-reference.en.txt.gz", "debian-reference.txt"),
    ("debian-handbook", "usr/share/doc/debian-handbook/html/en-US", "debian-handbook"),
    ("python-sklearn-doc", "usr/share/doc/python-sklearn-doc/html", "scikit-learn"),
)


def fetched(package: str) -> Path | None:
    """Return the folder that *package* is unpacked in, or None where it cannot be had."""
    folder = PLACE / "packages" / package
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["apt-get", "download", package], cwd=folder.parent, capture_output=True, text=True, check=False
    )
    archives = sorted(folder.parent.glob(f"{package}_*.deb"))
    if done.returncode or not archives:
        print(f"left out: {package}: apt has no such package here, or no network")
        return None
    # Unpacked beside and renamed, so that a folder of that name is whole.
    beside = folder.with_name(f".{package}")
    shutil.rmtree(beside, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-x", archives[-1], beside], check=True)
    return beside.rename(folder)


def shelved() -> int:
    """Put the books on a shelf; return how many there are."""
    shelf = PLACE / "shelf"
    shutil.rmtree(shelf, ignore_errors=True)
    shelf.mkdir(parents=True)
    for package, path, name in BOOKS:
        folder = fetched(package)
        source = None if folder is None else folder / path
        if source is None or not source.exists():
            print(f"left out: {name}: not in {package}")
        elif source.is_dir():
            shutil.copytree(source, shelf / name, symlinks=True)
        elif source.suffix == ".gz":
            (shelf / name).write_bytes(gzip.decompress(source.read_bytes()))
        else:
            shutil.copy(source, shelf / name)
    return len(list(shelf.iterdir()))


def main() -> int:
    """Fetch the books, run phases 2 to 4 over them from nothing, and print what came of each."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        print("skipped: apt-get and dpkg-deb are needed, and are not on this machine")
        return 0
    if not shelved():
        print("skipped: not one of the packages can be had")
        return 0
    results = PLACE / "results"
    shutil.rmtree(results, ignore_errors=True)
    begun = time.monotonic()
    where = ["--shelf-dir", str(PLACE / "shelf"), "--output-dir", str(results)]
    code = subprocess.run([sys.executable, "-m", "booksynth", "run", *where, *sys.argv[1:]], check=False).returncode
    print(f"\n{time.monotonic() - begun:.1f} s in all, exit code {code}\n")
    print(f"{'analysis':<40} {'chapters':>8} {'quotes':>7} {'important':>9}")
    for path in sorted((results / "analyses").glob("*_convergence_tracker.json")):
        document = json.loads(path.read_bytes())
        buckets = document["iterations"][0]["recommendations"]
        quotes = [one for bucket in buckets.values() for one in bucket]
        chapters = {one["source_chapter"].split(" › ")[0] for one in quotes}
        name = path.name.removesuffix("_convergence_tracker.json")
        print(f"{name:<40} {len(chapters):>8,} {len(quotes):>7,} {len(buckets['important']):>9,}")
    return code


if __name__ == "__main__":
    sys.exit(main())
