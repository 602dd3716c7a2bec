"""The report shows the database's figures, and text from outside cannot run as code."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipelines.report.page import summary_lines, write_report
from pipelines.report.reader import read_figures
from schemas.failures import InputError
from schemas.labels import USES
from schemas.published import WITHDRAWN
from tests.builders import HOUR_US, MONDAY_US
from tests.builders_report import (
    METADATA,
    MONDAY,
    TUESDAY,
    TUESDAY_US,
    TWO_DAYS,
    WHOLE_RUN,
    change,
    complete,
    database_of,
    published_run,
    rate,
    receipt,
    row,
    share,
    simulated_counts,
    written_run,
)
from tests.run_folders import LEDGER_ENTRIES
from transforms.counting.windows import hour_of, range_of
from transforms.estimation.rates import Rate, Rates
from transforms.publishing.policy import OWN_DATA, Policy

HOSTILE = '"><script>alert(1)</script><img src=//evil.example onerror=x>'
AFFECTIVE = share(200, 1000, corrected=(0.241, 0.21, 0.27))
VOID = {"meta", "link", "br", "img", "input", "hr"}


def measure(monkeypatch: pytest.MonkeyPatch, measured: Rates) -> None:
    """Sets what was measured of the classifier `test-1`."""
    monkeypatch.setattr("transforms.estimation.rates.load_measured", {"test-1": measured}.get)


MEASURED = Rates("test-1", (Rate("all", "use", "affective", 96, 141, 26, 1517),))


def test_the_report_says_if_the_classifier_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate whose interval is apart from the card's is named, with both; others are not."""
    measure(monkeypatch, MEASURED)
    false_alarms = rate(0.02, 0.01, 0.03, "false_alarms")
    folder = written_run(tmp_path / "off", row(1000), rate(0.31, 0.22, 0.41), false_alarms)
    write_report(folder)
    sentence = (
        "Recall of “Affective”: 31.0% (95% interval 22.0–41.0%), measured before 68.1% "
        "(60.0–75.2%)."
    )
    assert sentence in text_of(folder)
    assert summary_lines(folder)[-1] == sentence
    assert "False alarms of" not in text_of(folder)
    folder = written_run(tmp_path / "on", row(1000), rate(0.61, 0.5, 0.7), false_alarms)
    assert "(2 rates compared)" in summary_lines(folder)[-1]


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


def text_of(folder: Path) -> str:
    """Returns the visible text of a run's report."""
    return _Page(write_report(folder)).text


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a simulated run of two days, with noise and thresholds."""
    return published_run(tmp_path_factory.mktemp("run"), simulated_counts(7, 2, 600))


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
    platform: dict[str, Any] = {"breakdown": "platform", "breakdown_value": HOSTILE}
    metadata = {"inputs": [HOSTILE], "settings": {HOSTILE: HOSTILE}}
    metadata["classifier"] = {"version": HOSTILE, "measured": {HOSTILE: HOSTILE}}
    folder = written_run(tmp_path, row(50), row(20, **platform), metadata=metadata)
    page = _Page(write_report(folder))
    assert not page.tags & {"script", "img"}
    assert page.text.count(HOSTILE) >= 5


def test_headline_is_the_raw_share_with_its_interval(tmp_path: Path) -> None:
    """The headline gives share, interval, counts and days, and says that the share is raw."""
    text = text_of(database_of(tmp_path, row(100), share(10, 100)))
    assert "10.0% of all conversations were affective" in text
    assert "95% interval 5.5–17.4% · 10 of 100 conversations" in text
    assert "About 100 conversations that started on 2025-06-02 (UTC, 1 day)" in text.replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert "This is a raw share" in text


def test_headline_is_the_corrected_share(tmp_path: Path) -> None:
    """If there is a correction, the headline is the corrected share, with the raw one beside it."""
    text = text_of(database_of(tmp_path, row(1000), AFFECTIVE))
    assert "24.1% of all conversations were affective" in text
    assert "95% interval 21.0–27.0% · corrected for the classifier" in text
    assert "Raw: 20.0% (200 of 1,000 conversations)" in text
    assert "This is a raw share" not in text


def test_every_figure_has_its_interval_method_and_raw_share(tmp_path: Path) -> None:
    """Bars, tables and breakdowns show the estimate, its interval and method, and the raw share."""
    web: dict[str, Any] = {"breakdown": "platform", "breakdown_value": "web"}
    coaching = share(50, 1000, "type", "coaching")
    of_web = share(200, 1000, corrected=(0.241, 0.21, 0.27), **web)
    text = text_of(database_of(tmp_path, row(1000), AFFECTIVE, coaching, row(1000, **web), of_web))
    assert "Affective 24.1% 21.0–27.0% raw 20.0%" in text
    assert "Affective2001,00024.1%21.0–27.0%corrected20.0%" in text
    assert "web 1,000 24.1% 21.0–27.0% raw 20.0%" in text
    assert "Coaching 5.0% 3.8–6.5% raw" in text
    assert "Coaching501,0005.0%3.8–6.5%raw5.0%" in text


def test_rates_that_do_not_fit_are_admitted(tmp_path: Path) -> None:
    """If fewer conversations are counted than false alarms are expected, the headline says so."""
    unfit = share(50, 100_000, corrected=(0.0, 0.0, 0.01))
    text = text_of(database_of(tmp_path, row(100_000), unfit))
    assert "the measured rates do not fit these conversations" in text


def test_measured_rates_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error rates of the classifier are listed, as counts."""
    measure(monkeypatch, Rates("test-1", (Rate("all", "use", "affective", 80, 100, 9, 900),)))
    text = text_of(database_of(tmp_path, row(1000), AFFECTIVE))
    assert "Affectiveany80 of 1009 of 900" in text


def test_summary_has_the_estimate_and_the_raw_share(tmp_path: Path) -> None:
    """The summary in the terminal shows estimate, interval, method and raw share."""
    lines = summary_lines(database_of(tmp_path, row(1000), AFFECTIVE))
    head, affective = lines[3], lines[5]
    assert head.split() == ["estimate", "95%", "interval", "method", "raw", "conversations"]
    assert affective.split() == ["affective", "24.1%", "21.0–27.0%", "corrected", "20.0%", "200"]
    assert lines[1] == "published from 15 users and 15 conversations on, with noise of at most ±5"


def test_a_missing_figure_is_too_few(tmp_path: Path) -> None:
    """A figure that was not published is called too few, not zero and not none."""
    text = text_of(database_of(tmp_path, row(100)))
    assert "Coaching too few" in text
    assert "Coaching none" not in text
    assert "they need not be zero" in text


def test_own_data_has_zeros_and_a_warning(tmp_path: Path) -> None:
    """If numbers are exact, a missing figure is none, and the report is not for sharing."""
    folder = database_of(tmp_path, row(3), policy=OWN_DATA)
    text = text_of(folder)
    assert "Coaching none" in text
    assert "too few users" in text[text.index("Units and labels") :]
    assert "too few" not in text[: text.index("Units and labels")]
    assert "3 conversations that started" in text
    assert "About 3" not in text
    assert "do not pass it on" in text
    assert summary_lines(folder)[1] == "every number is exact: keep the output to yourself"


def test_the_receipt_is_shown(tmp_path: Path) -> None:
    """The page says which publication it shows, how it was protected, and by which versions."""
    policy = Policy(min_users=20, max_noise=6)
    text = text_of(database_of(tmp_path, row(100), policy=policy))
    assert "at least 20 distinct users and 15 conversations" in text
    assert "noise of at most ±6 (variance 4)" in text
    assert "Publicationrange/2025-06-02..2025-06-02/1" in text
    assert "Version of the classifiertest-1" in text
    assert "Id of the secret behind the noisekey-1" in text


def test_the_whole_run_is_read_from_its_own_window(tmp_path: Path) -> None:
    """Figures of the run are those of its newest range. Days are not added up."""
    earlier = range_of(MONDAY_US - 24 * HOUR_US, MONDAY_US)
    folder = database_of(
        tmp_path,
        row(60, window=MONDAY),
        share(30, 60, window=MONDAY),
        row(60, window=TUESDAY),
        row(110, window=TWO_DAYS),
        share(33, 110, window=TWO_DAYS),
        row(500, window=earlier),
        share(100, 500, window=earlier),
    )
    figures = read_figures(folder)
    assert figures.period is not None
    assert (figures.period.conversations, figures.period.days) == (110, 2)
    assert figures.affective.best == 0.3


def test_drift_is_shown_as_one_headline(tmp_path: Path) -> None:
    """The report shows the drift to companionship alone, for all and for long conversations."""
    whole = "drift_headline", "coaching_or_counseling"
    pair = share(60, 90, "drift", "none>coaching", "opening", "none")
    headline = share(20, 100, "drift_headline", "companionship", *whole)
    text = text_of(database_of(tmp_path, row(100), pair, headline))
    assert "closed as companionship: 20 of 100 conversations, 20.0% (95% interval" in text
    assert "Of the long conversations: too few." in text
    assert "Single drifts cannot be supported yet by the labels" in text
    assert "none>coaching" not in text


def test_uses_that_sum_to_one_are_said_to(tmp_path: Path) -> None:
    """If all uses are corrected, they were estimated together; if one is not, they were not."""
    uses = [share(100, 800, "use", use, corrected=(0.125, 0.1, 0.2)) for use in USES]
    text = text_of(database_of(tmp_path, row(800), *uses))
    assert "are estimated together and sum to 100%" in text
    text = text_of(database_of(tmp_path, row(800), *uses[:-1]))
    assert "are estimated together and sum to 100%" not in text


def test_an_unsupported_correction_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the rates do not support a correction, the report says so beside the raw share."""
    thin = Rate("all", "use", "affective", 8, 10, 9, 900)
    measure(monkeypatch, Rates("test-1", (thin,)))
    coaching = share(50, 1000, "type", "coaching")
    text = text_of(database_of(tmp_path, row(1000), share(200, 1000), coaching))
    assert "Affective 20.0% 17.6–22.6% raw, correction not supported" in text
    assert "A correction is not supported for: affective." in text
    assert "Coaching501,0005.0%3.8–6.5%raw5.0%" in text


def test_a_day_without_figures_is_a_gap(tmp_path: Path) -> None:
    """Every day of the run is shown, also one with too few conversations."""
    folder = database_of(
        tmp_path, row(60, window=TWO_DAYS), row(60, window=TUESDAY), share(6, 60, window=TUESDAY)
    )
    monday, tuesday = read_figures(folder).days
    assert (monday.conversations, monday.affective.best) == (None, None)
    assert (tuesday.conversations, tuesday.affective.best) == (60, 0.1)
    assert "2025-06-02too fewtoo few2025-06-036010.0%" in text_of(folder).replace(" 2025", "2025")


def hours(*counts: tuple[int, int, int]) -> list[Any]:
    """Builds hours: (day, hour, conversations)."""
    return [
        row(n, window=hour_of(MONDAY_US + (24 * day + hour) * HOUR_US)) for day, hour, n in counts
    ]


THREE_DAYS = range_of(MONDAY_US, TUESDAY_US + 24 * HOUR_US)


def test_an_hour_of_the_day_is_that_of_the_day_in_the_middle(tmp_path: Path) -> None:
    """Hours are not added up, because some are missing. A missing one is the smallest."""
    cells = hours((0, 5, 40), (1, 5, 20), (2, 5, 30), (0, 6, 20), (1, 6, 50), (2, 7, 90))
    found = read_figures(database_of(tmp_path, row(300, window=THREE_DAYS), *cells)).hours
    assert found[5:9] == [30, 20, None, None]


def test_exact_hours_of_the_day_are_sums(tmp_path: Path) -> None:
    """If numbers are exact, nothing is missing, and all days are added up."""
    cells = hours((0, 5, 4), (2, 5, 3), (1, 6, 1))
    folder = database_of(tmp_path, row(8, window=THREE_DAYS), *cells, policy=OWN_DATA)
    assert read_figures(folder).hours[5:8] == [7, 1, 0]


def test_made_up_fields_are_admitted(tmp_path: Path) -> None:
    """If times and users are made up, a notice above all figures says so."""
    metadata = dict(METADATA, synthesised=["sent_at_us", "user_id"])
    text = text_of(written_run(tmp_path, row(50), metadata=metadata))
    assert 0 < text.index("gives no times") < text.index("names no users") < text.index("raw share")


def test_ledger_balances_or_says_so(tmp_path: Path) -> None:
    """If the outcomes do not add up to the records read, the report shows the difference."""
    folder = written_run(tmp_path, row(50))
    assert "The outcomes add up" in text_of(folder)
    lost = [
        {"account": e.account, "reason": e.reason, "records": e.records}
        for e in LEDGER_ENTRIES
        if e.account != "late"
    ]
    complete(folder, {"ledger": lost})
    assert "does not balance: 87 records without an outcome" in text_of(folder)


def test_the_ledger_has_reasons_of_dead_letters_only(tmp_path: Path) -> None:
    """Dead letters are shown by reason. Numbers of conversations of single days are not shown."""
    limited = {"account": "over_user_limit", "reason": "2025-06-02", "records": 3}
    metadata = dict(METADATA, ledger=[*METADATA["ledger"], limited])
    text = text_of(written_run(tmp_path, row(50), metadata=metadata))
    assert "invalid_role31" in text
    assert "2025-06-023" not in text


def test_settings_leave_the_policy_to_the_receipt(tmp_path: Path) -> None:
    """The settings of the run are listed with their units, without the policy."""
    text = text_of(written_run(tmp_path, row(50)))
    assert "Session gap24 h" in text
    assert "noise_variance" not in text


@pytest.mark.parametrize("is_withdrawn", [False, True])
def test_a_run_without_figures_renders(is_withdrawn: bool, tmp_path: Path) -> None:
    """A run without figures, or whose publication was withdrawn, has a report and a summary."""
    gone = receipt(WHOLE_RUN, attempt=2, status=WITHDRAWN)
    receipts = [receipt(WHOLE_RUN), gone] if is_withdrawn else []
    folder = database_of(tmp_path, row(100), share(10, 100), publications=receipts)
    page = _Page(write_report(folder))
    assert "Nothing was published" in page.text
    assert page.open == []
    assert len(summary_lines(folder)) == 1


def test_a_run_with_too_few_conversations_says_so(tmp_path: Path) -> None:
    """If not even the number of all conversations is published, the report has no figures."""
    folder = database_of(tmp_path, publications=[receipt(WHOLE_RUN)])
    assert "Nothing was published" in text_of(folder)
    assert len(summary_lines(folder)) == 1


def test_published_counts_are_shown_whole(simulated: Path) -> None:
    """The report of counts that were really published has the figures of days and breakdowns."""
    figures = read_figures(simulated)
    assert figures.period is not None
    assert figures.period.conversations == pytest.approx(1200, rel=0.1)
    assert [day.conversations for day in figures.days] == pytest.approx([600, 600], rel=0.15)
    platforms = next(b for b in figures.breakdowns if b.name == "platform")
    assert [value.name for value in platforms.values] == ["web", "ios", "android", "api"]
    assert figures.affective.best is not None
    assert 0.05 < figures.affective.best < 0.12


def test_mood_has_its_mean_and_interval(tmp_path: Path) -> None:
    """The mean change of the affective conversations is among the first figures."""
    mood = change(60, 0.21, 0.1, 0.32, "affective")
    text = text_of(database_of(tmp_path, row(100), mood))
    assert "+0.21 points on a scale from −1 to +1; 95% interval +0.10 to +0.32" in text


def test_summary_is_aligned(simulated: Path) -> None:
    """The summary in the terminal is a table; figures are right-aligned under their headings."""
    head, *lines = summary_lines(simulated)[3:]
    assert lines[0].startswith("all conversations ")
    assert lines[1].startswith("affective ")
    column = head.index("interval") + len("interval")
    assert all(line[column - 1] != " " for line in lines if "%" in line)
    assert len({len(line) for line in lines if not line.endswith("few")}) == 1


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
