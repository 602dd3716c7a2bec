"""The report shows the database's figures, and text from outside cannot run as code."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipelines.report.page import summary_lines, write_report
from pipelines.report.reader import read_figures
from schemas.failures import InputError
from schemas.labels import USES
from tests.builders import HOUR_US, MONDAY_US
from tests.builders_report import (
    LEDGER_ENTRIES,
    METADATA,
    database_of,
    rate,
    row,
    simulated_rows,
    write_run,
)
from transforms.estimation.rates import Rate, Rates
from transforms.publishing.suppression import Thresholds

HOSTILE = '"><script>alert(1)</script><img src=//evil.example onerror=x>'
TUESDAY_US = MONDAY_US + 24 * HOUR_US
CONFUSION = tuple(tuple(93 if said == true else 1 for said in range(8)) for true in range(8))
USE_ROWS = [row(1700), *(row(200 if i else 300, "use", use) for i, use in enumerate(USES))]
VOID = {"meta", "link", "br", "img", "input", "hr"}


def measure(monkeypatch: pytest.MonkeyPatch, measured: Rates) -> None:
    """Sets what was measured of the classifier `test-1`."""
    monkeypatch.setattr("pipelines.report.reader.load_measured", {"test-1": measured}.get)


class _Page(HTMLParser):
    """Collects tags, attributes and visible text, and checks that tags nest."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(path.read_text("utf-8"))
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a simulated run of two days."""
    folder = tmp_path_factory.mktemp("run")
    return write_run(folder, simulated_rows(7, 2, 600, Thresholds()))


def test_page_loads_nothing(simulated: Path) -> None:
    """The page has no script and no external address; its security policy forbids both."""
    path = write_report(simulated)
    page = _Page(path)
    assert page.open == []
    assert not page.tags & {"script", "img", "iframe", "object", "base", "form"}
    links = {v for k, v in page.attributes if k in ("href", "src", "action", "xlink:href")}
    assert all(link and link.startswith(("#", "data:,")) for link in links)
    html = re.sub(r"'sha256-[^']+'", "", path.read_text("utf-8"))  # A digest may contain //.
    assert not re.search(r"https?:|url\(|@import|//\w", html)
    assert any(v and v.startswith("default-src 'none'") for k, v in page.attributes)


def test_page_has_no_inline_styles_or_handlers(simulated: Path) -> None:
    """The page has nothing that its own security policy would block."""
    names = {name for name, _ in _Page(write_report(simulated)).attributes}
    assert "style" not in names
    assert not [name for name in names if name.startswith("on")]


def test_links_have_targets(simulated: Path) -> None:
    """Each link within the page has a target, and every id is unique."""
    attributes = _Page(write_report(simulated)).attributes
    ids = [value for name, value in attributes if name == "id"]
    targets = {v[1:] for k, v in attributes if k == "href" and v and v.startswith("#")}
    assert len(ids) == len(set(ids))
    assert targets <= set(ids)


def test_drawings_have_titles(simulated: Path) -> None:
    """Each drawing has a title; screen readers skip purely decorative drawings."""
    html = write_report(simulated).read_text("utf-8")
    assert html.count('role="img"') > 40
    assert not re.findall(r'<svg[^>]*role="img"[^>]*>\s*<(?!title)', html)


def test_hostile_value_is_shown_as_text(tmp_path: Path) -> None:
    """Markup in a breakdown's value, in a file name or in a setting is shown as text."""
    platform = {"breakdown": "platform", "breakdown_value": HOSTILE}
    metadata = {"inputs": [HOSTILE], "settings": {HOSTILE: HOSTILE}}
    metadata["classifier"] = {"version": HOSTILE, "measured": {HOSTILE: HOSTILE}}
    page = _Page(write_report(write_run(tmp_path, [row(50), row(20, **platform)], metadata)))
    assert not page.tags & {"script", "img"}
    assert page.text.count(HOSTILE) >= 5


def test_headline_is_the_raw_share_with_its_interval(tmp_path: Path) -> None:
    """The headline gives share, interval, counts and days, and says that the share is raw."""
    folder = database_of(tmp_path, row(100), row(10, "use", "affective"))
    text = _Page(write_report(folder)).text
    assert "10.0% of all conversations were affective" in text
    assert "95% interval 5.5–17.4% · 10 of 100 conversations" in text
    assert "on 2025-06-02 (UTC, 1 day)" in text
    assert "This is a raw share" in text
    assert "at least 15 distinct users and 15 conversations" in text


def test_headline_is_the_corrected_share_if_there_are_rates(tmp_path: Path) -> None:
    """With error rates, the headline is the corrected share with its interval.

    The raw share is beside it.
    """
    rows = [row(1000), row(200, "use", "affective"), row(50, "type", "coaching")]
    text = _Page(write_report(database_of(tmp_path, *rows, rates=[rate((80, 100), (9, 900))]))).text
    assert "24.1% of all conversations were affective" in text
    assert re.search(r"95% interval 20\.\d–2\d\.\d% · corrected for the classifier", text)
    assert "Raw: 20.0% (17.6–22.6%; 200 of 1,000 conversations)" in text
    assert "held-out conversations (see MODEL_CARD.md)" in text
    assert "This is a raw share" not in text
    assert "Affectiveany80 of 1009 of 900" in text


def test_both_shares_are_side_by_side(tmp_path: Path) -> None:
    """Bars and values show the raw share beside the corrected one, or say that the share is raw."""
    web: dict[str, Any] = {"breakdown": "platform", "breakdown_value": "web"}
    cells = [(1000, "all", "all"), (200, "use", "affective"), (50, "type", "coaching")]
    rows = [row(*cell, **of) for cell in cells for of in (web, {})]
    text = _Page(write_report(database_of(tmp_path, *rows, rates=[rate((80, 100), (9, 900))]))).text
    assert re.search(r"Affective 24\.1% 2\d\.\d–2\d\.\d% raw 20\.0%", text)
    assert "web 1,000 24.1% raw 20.0%" in text
    assert "Coaching 5.0% 3.8–6.5% raw" in text
    assert "Coaching501,000–5.0%3.8–6.5%1" in text


def test_rates_that_do_not_fit_are_admitted(tmp_path: Path) -> None:
    """If fewer conversations are counted than false alarms are expected, the headline says so."""
    rows = [row(100_000), row(50, "use", "affective")]
    folder = database_of(tmp_path, *rows, rates=[rate((80, 100), (90, 900))])
    assert "the measured rates do not fit these conversations" in _Page(write_report(folder)).text


def test_summary_has_both_shares_if_there_are_rates(tmp_path: Path) -> None:
    """The summary in the terminal shows the corrected share, and then the raw share."""
    rows = [row(1000), row(200, "use", "affective")]
    lines = summary_lines(database_of(tmp_path, *rows, rates=[rate((80, 100), (9, 900))]))
    assert lines[2].split() == ["corrected", "95%", "interval", "raw", "95%", "interval",
                                "conversations"]  # fmt: skip
    assert re.fullmatch(r"affective +24\.1% +2.*% +20\.0% +17\.6–22\.6% +200", lines[4])


def test_withheld_figure_is_not_zero(tmp_path: Path) -> None:
    """A withheld figure is not shown as zero, but as fewer users than the threshold."""
    folder = database_of(tmp_path, row(100, min_users=23))
    page = _Page(write_report(folder))
    assert "Coaching fewer than 23 users" in page.text
    assert "none" not in page.text.split("What raw and corrected mean")[0].lower().replace(
        "not none", ""
    )


def test_own_data_has_zeros_and_a_warning(tmp_path: Path) -> None:
    """With thresholds of 1, a missing figure is shown as "none".

    The report warns that it is not anonymous.
    """
    folder = database_of(tmp_path, row(3, min_users=1, min_conversations=1))
    text = _Page(write_report(folder)).text
    assert "Coaching none" in text
    assert "fewer than" not in text
    assert "This report is not anonymous" in text


def test_partly_withheld_figure_is_a_lower_bound(tmp_path: Path) -> None:
    """A figure that was released on only one of two days is marked as a lower bound."""
    both = [row(100), row(100, window_start_us=TUESDAY_US)]
    folder = database_of(tmp_path, *both, row(20, "type", "coaching"))
    assert "Coaching ≥ 10.0%" in _Page(write_report(folder)).text


def test_count_without_whole_has_no_share(tmp_path: Path) -> None:
    """If only the denominator was withheld, the report says that the share is unknown."""
    folder = database_of(tmp_path, row(100), row(20, "long", "coaching"))
    assert "Coaching share not known" in _Page(write_report(folder)).text


def test_drift_is_shown_as_one_headline(tmp_path: Path) -> None:
    """The report shows the drift to companionship alone, and the number of withheld pairs."""
    pairs = [row(60, "drift", "none>none"), row(20, "drift", "coaching>companionship")]
    folder = database_of(tmp_path, row(100), *pairs)
    page = _Page(write_report(folder))
    assert "20 conversations are in pairs too small to release" in page.text
    assert "closed as companionship: at least 20 of at most 40 conversations, at least" in page.text
    assert "Single drifts cannot be supported yet by the labels" in page.text
    assert "matrix" not in {value for name, value in page.attributes if name == "class"}


def test_uses_are_corrected_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a confusion matrix, the corrected uses sum to one; the affective one is the headline."""
    measure(monkeypatch, Rates("test-1", (), CONFUSION))
    folder = database_of(tmp_path, *USE_ROWS, rates=[rate((80, 100), (9, 900))])
    figures = read_figures(folder)
    assert figures.are_uses_coherent
    assert sum(use.corrected or 0 for use in figures.uses) == pytest.approx(1, abs=1e-12)
    assert figures.uses[0] == figures.affective
    text = _Page(write_report(folder)).text
    assert "are estimated together and sum to 100%" in text


@pytest.mark.parametrize(
    ("confusion", "missing"), [((), 0), (((40,) + (0,) * 7,) * 8, 0), (CONFUSION, 1)]
)
def test_uses_stay_raw_without_support(
    confusion: tuple[tuple[int, ...], ...],
    missing: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without enough labels, or with a withheld use, only the affective share is corrected."""
    measure(monkeypatch, Rates("test-1", (), confusion))
    rows = USE_ROWS[: len(USE_ROWS) - missing]
    figures = read_figures(database_of(tmp_path, *rows, rates=[rate((80, 100), (9, 900))]))
    assert not figures.are_uses_coherent
    assert [use.is_corrected for use in figures.uses] == [True] + [False] * 7


def test_an_unsupported_correction_is_not_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the rates do not support a correction, the report says so instead of showing a number."""
    thin = Rate("all", "use", "affective", 8, 10, 9, 900)
    measure(monkeypatch, Rates("test-1", (thin,)))
    rows = [row(1000), row(200, "use", "affective"), row(50, "type", "coaching")]
    folder = database_of(tmp_path, *rows)
    text = _Page(write_report(folder)).text
    assert "Affective2001,000not supported" in text
    assert "A correction is not supported for: affective." in text
    assert "This is a raw share" in text
    assert "Coaching501,000–" in text


def test_made_up_fields_are_admitted(tmp_path: Path) -> None:
    """If times and users are made up, a notice above all figures says so."""
    metadata = dict(METADATA, synthesised=["sent_at_us", "user_id"])
    text = _Page(write_report(write_run(tmp_path, [row(50)], metadata))).text
    assert 0 < text.index("gives no times") < text.index("names no users") < text.index("raw share")


def test_ledger_balances_or_says_so(tmp_path: Path) -> None:
    """If the outcomes do not add up to the records read, the report shows the difference."""
    folder = write_run(tmp_path, [row(50)])
    assert "The outcomes add up" in _Page(write_report(folder)).text
    lost = [
        {"account": e.account, "reason": e.reason, "records": e.records}
        for e in LEDGER_ENTRIES
        if e.account != "late"
    ]
    (folder / "tables" / "ledger-00000-of-00001.parquet").unlink()
    database_of(folder, row(50))
    (folder / "run.json").write_text(json.dumps({"ledger": lost}))
    assert "does not balance: 87 records without an outcome" in _Page(write_report(folder)).text


def test_empty_run_renders(tmp_path: Path) -> None:
    """A run without figures and metadata still has a report and a summary."""
    folder = database_of(tmp_path)
    page = _Page(write_report(folder))
    assert "Nothing was released" in page.text
    assert page.open == []
    assert len(summary_lines(folder)) == 1


def test_summary_is_aligned(simulated: Path) -> None:
    """The summary in the terminal is a table; figures are right-aligned under their headings."""
    head, *lines = summary_lines(simulated)[2:]
    assert lines[0].startswith("all conversations ")
    assert lines[1].startswith("affective ")
    column = head.index("interval") + len("interval")
    assert all(line[column - 1] != " " for line in lines if "%" in line)
    assert len({len(line) for line in lines if not line.endswith("users")}) == 1


def test_folder_without_database_is_refused(tmp_path: Path) -> None:
    """A folder that is not a run is refused, and the error names it."""
    with pytest.raises(InputError, match=re.escape(tmp_path.name)):
        write_report(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]"])
def test_broken_metadata_is_refused(content: str, tmp_path: Path) -> None:
    """If `run.json` is not a JSON object, the error is an input error that names the file."""
    folder = database_of(tmp_path)
    (folder / "run.json").write_text(content)
    with pytest.raises(InputError, match=r"run\.json"):
        write_report(folder)
