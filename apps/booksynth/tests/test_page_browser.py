"""The laws of the page in a real browser: each test also proves that it says nothing and asks for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from apps.booksynth.tests.browser import CONTRAST, opened, started
from apps.booksynth.tests.page_documents import document, recommendation
from booksynth.page import render

LONG = "a-word-without-an-end-" * 20
SHARED = recommendation("Measure first", "Book A", "Book B", votes={"critical": 1, "important": 1}, theme="care")
ENTRIES = [
    SHARED,
    recommendation("Cache the index", "Book C", theme="care"),
    recommendation("Ask the Café owner", "Book C", "Book D", votes={"important": 2}),
    recommendation(f"Split {LONG}", f"Book {LONG}", votes={"nice_to_have": 1}),
    recommendation("Someday", "Book A", votes={"whenever": 1}, description="<b>bold</b> & more"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as browser:
        yield browser


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("page"), *ENTRIES)


def written(folder: Path, *entries: dict[str, Any]) -> Path:
    problem = {"file": f"{LONG}.json", "where": "$.x", "code": "x", "reason": LONG}
    path = folder / "report.html"
    path.write_text(render(document(*entries, problems=[problem])))
    return path


def shown(page: Page) -> list[str]:
    """Return the titles that are listed; as they are written, for what is below the window is not drawn yet."""
    titles = page.locator("#cards > li:visible > .card > summary > b").all_text_contents()
    return [title.split(" a-word")[0] for title in titles]


def test_all_is_listed(browser: Browser, path: Path) -> None:
    """The page comes up with every entry, in the order of the document, and says how many there are."""
    with opened(browser, path) as one:
        assert shown(one.page) == ["Measure first", "Cache the index", "Ask the Café owner", "Split", "Someday"]
        expect(one.page.locator("#shown")).to_have_text("all 5")
        expect(one.page).to_have_title("What the shelf recommends")


NARROWED = [
    ("Priority", "critical", ["Measure first"]),
    ("Priority", "other words", ["Someday"]),
    ("Said by", "several books", ["Measure first", "Ask the Café owner"]),
    ("Said by", "books that differ", ["Measure first"]),
    ("Said by", "1 book", ["Cache the index", "Split", "Someday"]),
    ("Book", "Book C", ["Cache the index", "Ask the Café owner"]),
    ("Theme", "All about care (3)", ["Measure first", "Cache the index"]),
    ("Order", "title", ["Ask the Café owner", "Cache the index", "Measure first", "Someday", "Split"]),
    ("Order", "number of books", ["Measure first", "Ask the Café owner", "Cache the index", "Split", "Someday"]),
]


def test_narrow(browser: Browser, path: Path) -> None:
    """Each field leaves what it names, in the order that is asked for, and one button brings all back."""
    with opened(browser, path) as one:
        for field, option, titles in NARROWED:
            one.page.get_by_role("combobox", name=field, exact=True).select_option(label=option)
            assert shown(one.page) == titles, option
            expect(one.page.locator("#shown")).to_have_text("all 5" if field == "Order" else f"{len(titles)} of 5")
            one.page.get_by_role("button", name="Show all").click()
            assert len(shown(one.page)) == 5


def test_search(browser: Browser, path: Path) -> None:
    """The search takes all words, without accents and case, from anywhere in an entry, its sources included."""
    with opened(browser, path) as one:
        one.page.keyboard.press("/")
        one.page.keyboard.type("CAFE owner")
        assert shown(one.page) == ["Ask the Café owner"]
        one.page.get_by_label("Search").fill("book_b_convergence chapter")
        assert shown(one.page) == ["Measure first"]
        one.page.get_by_label("Search").fill("nowhere-to-be-found")
        assert shown(one.page) == []
        expect(one.page.get_by_text("Nothing on the shelf fits")).to_be_visible()
        one.page.keyboard.press("Escape")
        assert len(shown(one.page)) == 5


def test_open_a_source_by_keyboard(browser: Browser, path: Path) -> None:
    """An entry and the original behind it open in place, by keyboard alone."""
    with opened(browser, path) as one:
        original = one.page.get_by_text("Wording 1 of Measure first")
        expect(original).to_be_hidden()
        one.page.locator(".card > summary").first.focus()
        one.page.keyboard.press("Enter")
        source = one.page.locator(".wording", has_text="Book B")
        expect(source).to_contain_text("Chapter 2")
        expect(source).to_contain_text("Book_B_convergence_tracker.json, iterations 1 to 3")
        source.locator("summary").focus()
        one.page.keyboard.press("Enter")
        expect(original).to_be_visible()
        assert one.page.locator("details[open]").count() == 2


def test_links_lead_to_what_they_name(browser: Browser, path: Path) -> None:
    """A bar narrows the list to what it counts; a dispute opens its entry, even one that is filtered away."""
    with opened(browser, path) as one:
        one.page.get_by_role("link", name="All about care").first.click()
        assert shown(one.page) == ["Measure first", "Cache the index"]
        one.page.get_by_role("combobox", name="Priority", exact=True).select_option("other")
        assert shown(one.page) == []
        one.page.get_by_role("link", name="Measure first").click()
        expect(one.page.get_by_text("Why: Measure first.")).to_be_in_viewport()
        assert len(shown(one.page)) == 5
    with opened(browser, path) as one:
        one.page.goto(f"{path.as_uri()}#{SHARED['id']}")
        one.page.reload()
        expect(one.page.get_by_text("Why: Measure first.")).to_be_visible()


@pytest.mark.parametrize("look", ["light", "dark"])
def test_looks(browser: Browser, path: Path, look: Any) -> None:
    """The page follows the look of the system, the button turns it over, and every text stands out from its ground."""
    with opened(browser, path, color_scheme=look) as one:
        one.page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        ground = "() => getComputedStyle(document.body).backgroundColor"
        before = one.page.evaluate(ground)
        assert before == {"light": "rgb(246, 245, 241)", "dark": "rgb(20, 23, 26)"}[look]
        for _ in range(2):
            contrast, text = one.page.evaluate(CONTRAST)
            assert contrast >= 4.5, text
            one.page.locator("#look").click()
        assert one.page.evaluate(ground) == before


def test_fits_any_width(browser: Browser, path: Path) -> None:
    """Nothing is wider than the window, whatever words the books have and however much is open."""
    with opened(browser, path) as one:
        one.page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        for width in (1400, 820, 390, 320):
            one.page.set_viewport_size({"width": width, "height": 800})
            assert one.page.evaluate("document.documentElement.scrollWidth") == width


def test_without_script(browser: Browser, path: Path) -> None:
    """Without script the page is the whole list, whose entries open, and shows no field that would do nothing."""
    with opened(browser, path, java_script_enabled=False) as one:
        assert len(shown(one.page)) == 5
        expect(one.page.get_by_role("search")).to_be_hidden()
        one.page.locator(".card > summary").first.click()
        expect(one.page.get_by_text("Why: Measure first.")).to_be_visible()


def test_hostile_texts_do_nothing(browser: Browser, tmp_path: Path) -> None:
    """Markup in a title or a text is shown letter by letter: it neither runs, loads nor changes the page."""
    title = "</script><script>alert(1)</script><img src=http://127.0.0.1:9/x onerror=alert(2)>\u202egnp"
    entry = recommendation(title, f"Book{title}", votes={f"{title}": 1}, description=title, theme="t")
    with opened(browser, written(tmp_path, entry)) as one:
        (text,) = shown(one.page)
        assert text == title.replace("\u202e", "\\u202e")
        one.page.locator(".card > summary").click()
        assert one.page.locator("script").count() == 1
        assert one.page.locator("img").count() == 0


def test_policy_holds(browser: Browser, path: Path) -> None:
    """Script and style that are not the page's own are refused by its policy, should they ever get into it."""
    with opened(browser, path) as one:
        one.page.evaluate("""() => {
            const script = document.createElement('script');
            script.textContent = 'window.stranger = true';
            document.body.append(script);
            document.body.setAttribute('style', 'margin: 99px');
            return fetch('http://127.0.0.1:9/').catch(() => null);
        }""")
        assert one.page.evaluate("window.stranger") is None
        assert one.page.evaluate("getComputedStyle(document.body).marginTop") == "0px"
        assert any("script-src" in text for text in one.said)
        assert any("style-src" in text for text in one.said)
        one.said.clear()
        one.asked.clear()
