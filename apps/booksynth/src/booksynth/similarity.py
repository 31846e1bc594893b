"""How alike texts are: by their words, and then by the company that they keep. Pure.

Two steps. First the cosine of weighted stems (TF-IDF). Then each text is described by the texts nearest to it, with
the squares of these cosines, and the similarity that counts is the cosine of two such descriptions: what two texts
have in common is then judged by everything else that is said on the matter, not by their own words alone.

All vectors are whole numbers (in units of 2**-20), so every sum is exact: no order of summing, no processor and no
number of threads has a part in a similarity.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from scipy.sparse import csr_array

    Floats = np.ndarray[Any, np.dtype[np.float64]]

UNIT = 2**20
NEIGHBOURS = 100
# Below this two texts share only words that everybody uses.
LEAST_COSINE = 0.1
ROWS_PER_BLOCK = 512
# With a model: how much the words count, and the cosine that any two texts of one shelf have.
WORDS_SHARE = 0.6
MEANING_FLOOR = 0.4
MEANING_UNIT = 2**16


def weighted(texts: Sequence[Mapping[str, float]]) -> csr_array:
    """Return a unit vector for each of *texts* (stem to weight), in which rare stems count more (TF-IDF)."""
    spread = Counter(stem for text in texts for stem in text)
    place = {stem: column for column, stem in enumerate(sorted(spread))}
    rarity = {stem: 1 + math.log((len(texts) + 1) / count) for stem, count in spread.items()}
    rows = [[(place[stem], text[stem] * rarity[stem]) for stem in sorted(text)] for text in texts]
    return _unit_rows(rows, len(place))


def profiles(vectors: csr_array, meanings: Floats | None = None) -> csr_array:
    """Return a unit vector for each text: the squares of its cosines with its nearest texts, itself among them.

    Of equally near texts the first counts. With *meanings* (a vector of length 1 of each text, from a model) a cosine
    is mixed of both.
    """
    rows = []
    for start, block in _products(vectors) if meanings is None else _mixed(vectors, meanings):
        for row in range(block.shape[0]):
            begin, end = block.indptr[row : row + 2]
            rows.append(_nearest(start + row, block.indices[begin:end], block.data[begin:end]))
    return _unit_rows(rows, vectors.shape[0])


def edges(vectors: csr_array, least: float) -> tuple[list[int], list[int]]:
    """Return all pairs of rows (first below second) whose cosine is at least *least*."""
    import numpy as np

    firsts, seconds = [], []
    for start, block in _products(vectors):
        found = block.tocoo()
        first, second = found.row + start, found.col
        kept = (found.data >= least) & (first < second)
        firsts.append(first[kept])
        seconds.append(second[kept])
    return np.concatenate(firsts).tolist(), np.concatenate(seconds).tolist()


def among(vectors: csr_array, rows: Sequence[int]) -> Floats:
    """Return the cosines of all pairs of *rows*, in the order of `itertools.combinations`."""
    import numpy as np

    some = vectors[list(rows)]
    upper = np.empty(len(rows) * (len(rows) - 1) // 2)
    filled = 0
    for start, block in _products(some):
        for row, cosines in enumerate(block.toarray(), start):
            rest = cosines[row + 1 :]
            upper[filled : filled + len(rest)] = rest
            filled += len(rest)
    return upper


def _products(vectors: csr_array) -> Iterator[tuple[int, csr_array]]:
    """Give the cosines of a few rows at a time with all: the whole would not fit into memory."""
    import numpy as np

    others = vectors.T.tocsr()
    for start in range(0, vectors.shape[0], ROWS_PER_BLOCK):
        block = (vectors[start : start + ROWS_PER_BLOCK] @ others).tocsr()
        # Units are rounded, so a vector's product with itself may exceed 1 by a trifle.
        block.data = np.minimum(block.data / UNIT**2, 1.0)
        yield start, block


def _mixed(vectors: csr_array, meanings: Floats) -> Iterator[tuple[int, csr_array]]:
    """Give the products of `_products`, mixed with those of *meanings*."""
    import numpy as np
    from scipy.sparse import csr_array

    # Whole numbers here too: whatever adds them up, the sums are exact.
    whole = np.rint(meanings * MEANING_UNIT)
    for start, block in _products(vectors):
        cosines = whole[start : start + block.shape[0]] @ whole.T / MEANING_UNIT**2
        beyond = np.clip((cosines - MEANING_FLOOR) / (1 - MEANING_FLOOR), 0.0, 1.0)
        yield start, csr_array(WORDS_SHARE * block.toarray() + (1 - WORDS_SHARE) * beyond)


def _nearest(own: int, columns: Any, cosines: Any) -> list[tuple[int, float]]:
    import numpy as np

    kept = (cosines >= LEAST_COSINE) & (columns != own)
    columns, cosines = columns[kept], cosines[kept]
    order = np.lexsort((columns, -cosines))[: NEIGHBOURS - 1]
    near = [
        (column, cosine * cosine)
        for column, cosine in zip(columns[order].tolist(), cosines[order].tolist(), strict=True)
    ]
    # A text without a word is near to nothing but itself.
    return sorted([*near, (own, 1.0)])


def _unit_rows(rows: Sequence[Sequence[tuple[int, float]]], width: int) -> csr_array:
    """Return the rows (column and value, by column) as unit vectors of whole numbers."""
    import numpy as np
    from scipy.sparse import csr_array

    data: list[float] = []
    columns: list[int] = []
    ends = [0]
    for row in rows:
        length = math.sqrt(math.fsum(value * value for _, value in row))
        data += [round(value / length * UNIT) for _, value in row]
        columns += [column for column, _ in row]
        ends.append(len(columns))
    return csr_array((np.array(data, dtype=np.float64), columns, ends), shape=(len(rows), max(width, 1)))
