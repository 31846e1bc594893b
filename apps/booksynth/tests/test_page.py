"""The laws of the page, read without a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.booksynth.tests.page_documents import Page, document, recommendation
from apps.booksynth.tests.support import booksynth, phase_3
from booksynth.page import NotADocumentError, render, wording
from booksynth.request import CONSOLIDATED, PAGE

SHARED = recommendation("Measure first", "Book A", "Book B", votes={"critical": 1, "important": 1}, theme="care")
ALONE = recommendation("Cache the index", "Book C", votes={"nice_to_have": 1}, theme="care")
DOCUMENT = document(SHARED, ALONE)

hostile = st.text(
    st.one_of(st.sampled_from("<>&\"'{}%#/!-=\u202e\u2066\u200f\ud800\x00\x1b\n"), st.characters()), max_size=20
)


def section(page: str, title: str) -> str:
    """Return the part of the page from one heading to the next."""
    return page.partition(f"<h2>{title}</h2>")[2].partition("<h2")[0]


def test_equal_documents_give_equal_pages() -> None:
    """The page depends on the document alone, however its keys are ordered."""
    turned = {name: DOCUMENT[name] for name in reversed(DOCUMENT)}
    assert render(turned) == render(DOCUMENT)


def test_the_shelf_at_a_glance() -> None:
    """The first lines of the page count books, entries, those of several books, themes and disputes."""
    tiles = re.findall(
        r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", render(DOCUMENT).partition('class="tiles"')[2].partition("</dl>")[0]
    )
    assert dict(tiles) == {
        "Books with content": "3",
        "Recommendations": "2",
        "Said by several books": "1",
        "Themes": "1",
        "Priority disputed": "1",
    }


def test_charts_say_their_numbers() -> None:
    """Each bar has its number in words beside it, and only what is disputed stands under disagreement."""
    page = render(DOCUMENT)
    assert "1 book</bdi></a> <small>1</small>" in section(page, "Agreement")
    assert "All about care</bdi></a> <small>3 books, 2 entries</small>" in section(page, "Themes, by number of books")
    disputes = section(page, "Disagreement")
    assert "Measure first</bdi></a> <small>1 critical, 1 important</small>" in disputes
    assert "Cache the index" not in disputes
    assert 'title="1 said by others too"' in section(page, "Books")


def test_every_source_and_wording_stands() -> None:
    """Each source is shown with book, chapter, file and iterations, and each merged wording word for word."""
    text = Page(render(DOCUMENT)).text
    for one in DOCUMENT["recommendations"]:
        for source in one["sources"]:
            assert f"{source['book']} {source['chapter']}{source['file']}, iterations 1 to 3" in text
    for n in range(2):
        assert f"Wording {n} of Measure first" in text
        assert f"Original step {n}" in text


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([4], "iteration 4"),
        ([1, 2, 3], "iterations 1 to 3"),
        ([1, 10**12], "iterations 1, 1000000000000"),
        ([1, 3, 3], "iterations 1, 3, 3"),
        ([3, 2, 1], "iterations 3, 2, 1"),
        ([1, True], "iterations 1, True"),
        ([1, "2"], "iterations 1, 2"),
    ],
)
def test_iterations_in_words(numbers: list[Any], words: str) -> None:
    """Iterations are told as a range where none is left out, and one by one elsewhere, however far apart they are."""
    assert wording.iterations(numbers) == words
    far = {**ALONE, "sources": [{**one, "iterations": numbers} for one in ALONE["sources"]]}
    assert words in Page(render(document(far))).text


def test_wording_of_a_model_is_no_original() -> None:
    """A lone record is not repeated, unless a model wrote the text of the entry: then the original stands below it."""
    by_model = recommendation("Cache the index", synthesis={"by": "model", "model": "made-up-1", "reason": None})
    assert "Wording 0 of" not in Page(render(document(ALONE))).text
    text = Page(render(document(by_model))).text
    assert "Wording 0 of Cache the index" in text
    assert "made-up-1" in text


def test_what_is_needed_first() -> None:
    """A dependency links to its entry; one that is not on the list says so, and a circle is named."""
    needs = [
        {"text": "measure", "id": SHARED["id"], "is_cyclic": True},
        {"text": "Something else", "id": None, "is_cyclic": False},
    ]
    page = render(document(SHARED, {**ALONE, "dependencies": needs}))
    assert f'<a href="#{SHARED["id"]}">Measure first</a> <small>in a circle</small>' in page
    assert "Something else <small>not on the list</small>" in page


def test_files_and_problems_are_told() -> None:
    """Files that were not used stand with the reason, other problems once and with their place."""
    unused = {"file": "stub.json", "code": "stub", "reason": "a stub"}
    problems = [{**unused, "where": ""}, {"file": "a.json", "where": "$.x", "code": "odd", "reason": "must be text"}]
    page = render(document(ALONE, files_not_used=[unused], problems=problems))
    assert page.count("stub.json") == 1
    assert "<code>a.json</code> <code>$.x</code></dt><dd>must be text" in page


def test_nothing_to_show() -> None:
    """A shelf that says nothing gives a page that says so."""
    assert "No recommendation is listed." in render(document())


def _policy(page: Page) -> dict[str, str]:
    content = next(str(one["content"]) for one in page.all("meta") if one.get("http-equiv"))
    return {name: value for name, _, value in (part.strip().partition(" ") for part in content.split(";"))}


def test_policy_lets_nothing_in() -> None:
    """The policy of the page names its own style and script by digest and refuses all else."""
    page = Page(render(DOCUMENT))
    digests = {
        name: f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for name, text in page.sheets.items()
    }
    policy = _policy(page)
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert (policy["style-src"], policy["script-src"]) == (digests["style"], digests["script"])
    assert policy["img-src"] == "data:"


def _texts_everywhere(text: str) -> dict[str, Any]:
    """Return a document with *text* in every place that a book or a file name has a say in."""
    said = f"a{text}b"
    one = recommendation(said, f"{said} 1", f"{said} 2", votes={said: 1, "critical": 1}, theme="t")
    step = {"text": said, "votes": 2}
    one |= {
        "description": said, "technical_details": said, "implementation_steps": [step], "further_steps": [step],
        "expected_impact": said, "category_votes": {said: 1},
        "effort": {**one["effort"], "unknown": [said]},
        "dependencies": [{"text": said, "id": None, "is_cyclic": True}],
        "synthesis": {"by": "model", "model": said, "reason": None},
        "sources": [{**source, "file": said, "chapter": said} for source in one["sources"]],
        "variants": [
            {"digest": variant["digest"], "fields": dict.fromkeys(variant["fields"], said)} for variant in one["variants"]
        ],
    }  # fmt: skip
    whole = document(one)
    whole["themes"][0]["title"] = said
    place = {"file": said, "where": said, "code": "x", "reason": said}
    return {**whole, "files_not_used": [{**place, "file": f"{said}!"}], "problems": [place]}


@cache
def _plain() -> Page:
    return Page(render(_texts_everywhere("plain")))


def _shape(page: Page) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(attributes)) for tag, attributes in page.tags]


@settings(max_examples=50)
@given(hostile)
@example("</script><script>alert(1)</script>")
@example("\"'><img src=x onerror=alert(1)>")
@example("-->]]><!--</style>{{ 7 * 7 }}{% raw %}")
@example("&lt;b&gt;&#x202e;")
@example("\u202egnp.exe\u2066\u200e")
def test_no_text_steers_the_page(text: str) -> None:
    """Whatever a book says, the page has the elements it has for plain words, shows the text, and hides no sign."""
    page = Page(html := render(_texts_everywhere(text)))
    plain = _plain()
    assert _shape(page) == _shape(plain)
    assert page.sheets == plain.sheets
    assert wording.shown(f"a{text}b") in page.text
    html.encode()
    assert not [
        char
        for char in html
        if unicodedata.category(char) in {"Cs", "Cf", "Cc"} and char not in "\n\t\u00ad\u200b\u200c\u200d"
    ]


def test_every_link_stays_in_the_page() -> None:
    """No element loads anything, every link leads to a place of the page, and none carries style or script."""
    page = Page(render(_texts_everywhere("javascript:alert(1)")))
    for tag, attributes in page.tags:
        assert not [
            name for name in attributes if name in {"src", "style", "srcset", "action"} or name.startswith("on")
        ]
        if "href" in attributes:
            assert str(attributes["href"]).startswith("data:" if tag == "link" else "#")
    assert {str(one["href"]) for one in page.all("a")} <= {f"#{one['id']}" for _, one in page.tags if one.get("id")}


@settings(max_examples=50)
@given(hostile)
def test_shown_is_stable(text: str) -> None:
    """Text that is shown once is not changed by being shown again."""
    assert wording.shown(wording.shown(text)) == wording.shown(text)


def test_remade_page_is_the_page_of_the_run(shelf: Path, output: Path) -> None:
    """The command makes the very bytes again that phase 3 wrote."""
    assert phase_3(shelf, output).code == 0
    written = (output / PAGE).read_bytes()
    (output / PAGE).unlink()
    done = booksynth("report", "--output-dir", output)
    assert (done.code, done.err) == (0, "")
    assert str(output / PAGE) in done.out.replace("\n", "")
    assert (output / PAGE).read_bytes() == written


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "run phase 3 first"),
        (b'{"format": "booksynth', "not JSON, or cut off"),
        (b"\xff\xfe", "not JSON, or cut off"),
        (b"[" * 100_000, "not JSON, or cut off"),
        (b"[]", "the whole: "),
        (json.dumps({**DOCUMENT, "format_version": 3}).encode(), "format_version: "),
        (json.dumps(document({**ALONE, "priority_votes": {"critical": "many"}})).encode(), "recommendations.0.priority"),
        (json.dumps(document({**ALONE, "confidence": float("nan")})).encode(), "recommendations.0.confidence"),
    ],
)  # fmt: skip
def test_no_page_of_what_is_no_list(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A list that is missing, cut off or of another form is refused with its place, and the old page stays."""
    (tmp_path / PAGE).write_text("old")
    if content is not None:
        (tmp_path / CONSOLIDATED).write_bytes(content)
    done = booksynth("report", "--output-dir", tmp_path)
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err
    assert (tmp_path / PAGE).read_text() == "old"


def test_faults_are_counted() -> None:
    """A document with many faults names the first of them and how many more there are."""
    with pytest.raises(NotADocumentError, match=r"field required; .*; and \d+ more"):
        render({"format_version": 2})
