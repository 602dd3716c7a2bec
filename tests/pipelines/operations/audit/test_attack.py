"""Tests that the audit finds what is wrong with an output, and nothing in a sound one."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from pipelines.operations.audit import columns, corrections, exactness, sums, thresholds, words
from pipelines.operations.audit.attack import GUESSING, attack, audit_lines
from pipelines.operations.audit.evidence import UNCOMMITTED, Evidence, Finding, chance_of_at_least
from tests.pipelines.operations.audit.builders import busy, changed, day, exact, only, sound, tables
from transforms.counting.cells import BREAKDOWN_IDS, WHOLE_DAY
from transforms.counting.places import Place
from transforms.facets.facet import ALL
from transforms.publishing.policy import OWN_DATA, Policy

OVERALL = Place(BREAKDOWN_IDS["overall"], ALL)
EVERYONE = WHOLE_DAY.slice_index


def attacks(findings: object) -> set[str]:
    """Returns the names of the attacks that found something."""
    assert isinstance(findings, list | tuple)
    return {finding.attack for finding in findings if isinstance(finding, Finding)}


def test_a_sound_output_passes() -> None:
    """No attack finds anything in what the publisher makes."""
    audit = attack(sound(), tables(), ["aggregates", "aggregates_current"], {}, ["user-7"])
    assert audit.findings == []
    assert audit_lines(audit)[-1] == "no attack found anything beyond the stated bounds"
    assert sum(score.cells for score in audit.scores) > 5_000


def test_a_row_under_a_threshold_is_found() -> None:
    """A cell with fourteen users must not be published."""
    basis = dict(day().basis or {})
    basis[OVERALL] = {**basis[OVERALL], EVERYONE: basis[OVERALL][EVERYONE]._replace(users=14)}
    assert attacks([*thresholds.find_small_rows(only(replace(day(), basis=basis)))]) == {
        thresholds.ATTACK
    }


def test_a_row_under_a_threshold_is_found_without_the_truth() -> None:
    """Noise of at most five never makes a nine of a fifteen."""
    version = changed(day(), lambda _, i, n, __: 9 if i == EVERYONE else n, basis=None)
    (finding,) = thresholds.find_small_rows(Evidence((version,)))
    assert "fewer than 15" in finding.sentence


def test_a_row_without_a_basis_is_found() -> None:
    """A published cell whose true counts nobody kept may be too small."""
    basis = dict(day().basis or {})
    del basis[OVERALL]
    (finding,) = thresholds.find_small_rows(only(replace(day(), basis=basis)))
    assert "not in its basis" in finding.sentence


def test_an_exact_column_is_found() -> None:
    """Numbers without noise are found in all cells and in each group of cells."""
    version = changed(day(), exact)
    found = [*exactness.find_exact_numbers(only(version))]
    assert found[0].sentence.startswith("all cells: ")
    assert any(f.sentence.startswith("breakdown country: ") for f in found)


def test_exact_numbers_of_one_facet_are_found() -> None:
    """Numbers without noise are found if they are a small part of all."""
    uses = range(7, 15)
    version = changed(day(), lambda _, i, n, sums: sums.conversations if i in uses else n)
    found = [*exactness.find_exact_numbers(only(version))]
    assert "facet use" in {f.sentence.split(":")[0] for f in found}


def test_own_data_may_be_exact_unless_it_is_shared() -> None:
    """Exact numbers are what the operator asked for, but never in a dataset for analysts."""
    version = changed(day(), exact, policy=OWN_DATA)
    assert not attack(only(version), {}).findings
    assert attack(only(version), {}, is_shared=True).findings


@pytest.mark.parametrize("status", ["committed", "withdrawn", UNCOMMITTED])
def test_a_version_that_differs_by_one_person_is_found(status: str) -> None:
    """One user less in a cell isolates the user, also if the first version is not in the views."""
    later = replace(
        changed(day(), lambda p, i, n, _: n - 1 if p == OVERALL and i == EVERYONE else n),
        number=2,
        attempt=2,
        basis={**(day().basis or {}), OVERALL: {
            i: s._replace(users=s.users - 1) if i == EVERYONE else s
            for i, s in (day().basis or {})[OVERALL].items()
        }},
    )  # fmt: skip
    (finding,) = corrections.find_isolating_changes(only(replace(day(), status=status), later))
    assert "in 1 cells by fewer than 15 users" in finding.sentence


def test_a_small_change_is_found_without_the_truth() -> None:
    """An analyst sees that a number moves by less than fifteen users and their noise."""
    later = changed(day(), lambda _, __, n, ___: n + 3, number=2, attempt=2, basis=None)
    found = [*corrections.find_isolating_changes(Evidence((replace(day(), basis=None), later)))]
    assert attacks(found) == {corrections.ATTACK}


def test_a_change_of_many_people_is_not_a_finding() -> None:
    """A correction of fifteen users or more is allowed."""
    basis = {
        place: {i: s._replace(users=s.users + 15) for i, s in cells.items()}
        for place, cells in (day().basis or {}).items()
    }
    later = changed(day(), lambda _, __, n, ___: n + 20, number=2, attempt=2)
    assert not [*corrections.find_isolating_changes(only(day(), replace(later, basis=basis)))]


def test_a_leaky_complement_is_found_without_the_truth() -> None:
    """An exact total next to exact parts gives every missing part away."""
    versions = tuple(changed(version, exact, basis=None) for version in sound().versions)
    (finding,) = sums.find_exact_sums(Evidence(versions))
    assert "equal the sum of their published parts" in finding.sentence
    assert not [*sums.find_exact_sums(sound())]


def test_small_cells_are_guessed_from_exact_ones() -> None:
    """With the truth, subtraction shows that exact numbers give small cells away."""
    numbers = [changed(version, exact) for version in sound().versions]
    audit = attack(only(*numbers), {})
    assert GUESSING in attacks(audit.findings)
    assert audit.scores[0].advantage > 0.5


def test_text_in_a_column_is_found_and_not_repeated() -> None:
    """A sentence in place of a country is found, and the audit does not print it."""
    (finding,) = words.find_words(tables(breakdown="country", breakdown_value="I feel so alone"))
    assert "aggregates.breakdown_value has 1 texts" in finding.sentence
    assert "alone" not in finding.sentence


def test_a_new_text_column_is_found() -> None:
    """A column that nobody declared is found by its name and by its text."""
    rows = tables(user="ada")
    assert attacks([*words.find_words(rows)]) == {words.ATTACK}
    assert "column user" in next(columns.find_numbers(rows, Policy())).sentence


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256", "blake2b"])
@pytest.mark.parametrize("length", [16, 32])
def test_an_unkeyed_hash_is_found(name: str, length: int) -> None:
    """Whoever hashes all likely ids finds whose hash it is, also if the hash is cut."""
    digest = hashlib.new(name, b"user-77").hexdigest()[:length]
    findings = [*words.find_known_ids({"dead_letters": [{"conversation_id": digest}]}, [])]
    assert attacks(findings) == {words.HASH_ATTACK}


def test_a_known_id_is_found_plain_and_hashed() -> None:
    """Ids that the operator gives are looked for in every column."""
    short = hashlib.blake2b(b"ada@example.org", digest_size=8).hexdigest()
    rows = {"ledger": [{"reason": short}, {"reason": "for ada@example.org"}]}
    assert attacks([*words.find_known_ids(rows, ["ada@example.org"])]) == {
        words.ATTACK, words.HASH_ATTACK,
    }  # fmt: skip


def test_a_keyed_hash_is_not_found() -> None:
    """A hash with a secret key can't be guessed."""
    keyed = hashlib.blake2b(b"user-77", key=b"secret", digest_size=8).hexdigest()
    assert not [*words.find_known_ids({"dead_letters": [{"user": keyed}]}, ["user-77"])]


def test_an_identifier_as_a_breakdown_value_is_found() -> None:
    """A plan named like a hash is an identifier."""
    assert words.is_value("plan", "pro")
    assert not words.is_value("plan", "a3f0c9d2e4b58716")
    assert not words.is_value("plan", "0b7f4c1e-93aa-4f1d-8a77-0c5b2f9e6d11")


def test_a_small_number_in_the_analysts_dataset_is_found() -> None:
    """A number that no published cell can have is found in any declared column."""
    (finding,) = columns.find_numbers(tables(conversations=3), Policy())
    assert "aggregates.conversations has 1 numbers below 10" in finding.sentence


def test_a_restricted_table_in_the_analysts_dataset_is_found() -> None:
    """The ledger has exact counts, so it must not lie beside the publications."""
    (finding,) = columns.find_tables(["figures", "ledger"])
    assert "has ledger" in finding.sentence


def test_figures_with_exact_shares_are_found() -> None:
    """A share that equals the true one although its counts have noise was not made from them."""
    version = day()
    basis = (version.basis or {})[OVERALL]
    figures = [
        {
            "breakdown": "overall", "breakdown_value": ALL, "measure": "share",
            "facet": "use", "facet_value": use, "whole_facet": "all", "whole_value": ALL,
            "conversations": version.numbers[OVERALL][index],
            "whole_conversations": version.numbers[OVERALL][EVERYONE],
            "raw": basis[index].conversations / basis[EVERYONE].conversations,
            "corrected": None, "low": 0.0, "high": 1.0,
        }
        for index, use in enumerate(
            ("affective", "content_creation", "technical", "work", "learning", "information"), 7
        )
    ]  # fmt: skip
    found = [*exactness.find_exact_numbers(only(replace(version, figures=tuple(figures))))]
    assert "column figures.raw" in {f.sentence.split(":")[0] for f in found}


def test_a_second_noise_on_a_number_is_found() -> None:
    """Figures must state the numbers of aggregates, or the noise can be averaged away."""
    figure = {
        "breakdown": "overall", "breakdown_value": ALL, "measure": "mean_change", "facet": "all",
        "facet_value": ALL, "whole_facet": None, "whole_value": None,
        "conversations": day().numbers[OVERALL][EVERYONE] + 1, "whole_conversations": None,
        "raw": 0.1, "corrected": None, "low": 0.0, "high": 0.2,
    }  # fmt: skip
    found = [*exactness.find_exact_numbers(only(replace(day(), figures=(figure,))))]
    assert "can be averaged away" in found[-1].sentence


def test_chance_is_never_underestimated() -> None:
    """The bound on a binomial tail is above the tail itself."""
    assert chance_of_at_least(3, 3, 0.5) == pytest.approx(0.125)
    assert chance_of_at_least(8, 10, 0.5) >= 56 / 1024
    assert chance_of_at_least(2, 10, 0.5) == 1.0


def test_every_window_of_the_busy_day_is_published() -> None:
    """The day that these tests break has published cells in its day and its hours."""
    assert sum(1 for published in busy().versions if published.basis) == len(busy().versions)
