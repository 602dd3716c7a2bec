"""Tests the files of rates: measured from a run, used by another publication, and refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.commands.main import main
from pipelines.judging.rates import measured_rates, samples_of_folder
from pipelines.local import republish
from pipelines.publishing.rates import given_rates
from pipelines.report.reader import read_figures
from schemas.failures import InputError
from schemas.published import CORRECTED, RAW
from tests.judged import labelled
from tests.judged_runs import VERSION, judged_run
from tests.run_folders import query
from transforms.estimation.rates import Rate, Rates, encode_rates
from transforms.publishing.policy import Policy

POLICY = Policy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a run of two days, of which a sample is judged."""
    random = np.random.default_rng(1)
    made = [each for day in range(2) for each in labelled(random, 2_000, share=0.15, day=day)]
    return judged_run(tmp_path_factory.mktemp("judged"), made, 700, POLICY)


@pytest.fixture
def unjudged(tmp_path: Path) -> Path:
    """Returns the folder of a run that nobody judged."""
    made = labelled(np.random.default_rng(2), 4_000, share=0.1)
    return judged_run(tmp_path / "run", made, 0, POLICY)


def test_measured_rates_correct_another_run(folder: Path, unjudged: Path, tmp_path: Path) -> None:
    """A run of the same classifier is corrected by the file, and its receipt names the rates."""
    file = tmp_path / "rates.json"
    assert main(["rates", str(folder), "--output", str(file)]) == 0
    assert read_figures(unjudged).affective.method == RAW
    rates = given_rates(str(file))
    republish(unjudged, POLICY, 2, rates)
    affective = read_figures(unjudged).affective
    assert affective.method == CORRECTED
    assert affective.low is not None
    assert affective.high is not None
    assert affective.low < 0.1 < affective.high
    (receipt,) = query(unjudged, "SELECT rates FROM receipts WHERE window_kind = 'day'")
    assert receipt["rates"] == rates.name(VERSION) != ""


def test_a_run_keeps_its_rates(folder: Path, unjudged: Path) -> None:
    """Published again without a file, a run keeps the rates that it has."""
    rates = measured_rates(samples_of_folder(folder), None)
    file = unjudged / "given.json"
    file.write_bytes(encode_rates(rates))
    republish(unjudged, POLICY, 2, given_rates(str(file)))
    republish(unjudged, POLICY, 3)
    assert read_figures(unjudged).affective.method == CORRECTED


def test_days_limit_what_is_measured(folder: Path) -> None:
    """With one of two days there are fewer effective conversations."""
    samples = samples_of_folder(folder)
    ((both,), (one,)) = (measured_rates(samples, days) for days in (None, 1))
    assert both.classifier_version == one.classifier_version == VERSION
    assert one.rates[0].positives < both.rates[0].positives
    with pytest.raises(InputError, match="days must be at least 1"):
        measured_rates(samples, 0)


def test_an_unjudged_run_has_no_rates(unjudged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without judgements the command says what to do, in one sentence."""
    assert main(["rates", str(unjudged)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b'{"a": 1}', b"\xff",
        json.dumps([{"classifier_version": "c", "rates": [{"language": "xx"}]}]).encode(),
        encode_rates([Rates("c", ()), Rates("c", ())]),
    ],
)  # fmt: skip
def test_a_bad_file_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    """A file that is not one of rates is refused with its name."""
    file = tmp_path / "rates.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"rates\.json") as error:
        given_rates(str(file))
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(InputError, match=r"none\.json"):
        given_rates(str(tmp_path / "none.json"))


def test_other_versions_keep_the_shipped_rates(tmp_path: Path) -> None:
    """Only the versions in the file are replaced; equal rates have equal names."""
    file = tmp_path / "rates.json"
    file.write_bytes(encode_rates([Rates("c", (Rate("all", "use", "affective", 1, 2, 0, 9),))]))
    rates = given_rates(str(file))
    shipped = given_rates(None)
    assert rates.of("ngram-3-bc932ffa2223") == shipped.of("ngram-3-bc932ffa2223") is not None
    assert rates.name("ngram-3-bc932ffa2223") == ""
    assert rates.name("c") == given_rates(str(file)).name("c")
    assert len(rates.name("c")) == 12
