"""`undertone judge` and `undertone label` on the sample of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.commands.main import main
from pipelines.sinks.database import query_run

CONVERSATIONS = 600


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a simulation in `archive`, a run of it in `run`, and a `secret`."""
    folder = tmp_path_factory.mktemp("simulated")
    (folder / "secret").write_bytes(bytes(range(32)))
    (folder / "secret").chmod(0o600)
    size = [f"--conversations={CONVERSATIONS}", "--days=1", "--share_affective=0.3"]
    assert main(["simulate", "--output", str(folder / "archive"), *size]) == 0
    run(folder)
    return folder


def run(folder: Path) -> None:
    """Counts the archive."""
    argv = ["run", "--input", str(folder / "archive" / "*.avro"), "--output", str(folder / "run")]
    assert main([*argv, "--classifier=default", f"--secret={folder / 'secret'}"]) == 0


def judge(folder: Path, *flags: str) -> int:
    """Runs `undertone judge` with the simulator's labels."""
    archive = folder / "archive"
    argv = ["judge", str(folder / "run"), "--input", str(archive / "*.avro"), "--judge=labels"]
    argv += ["--labels", str(archive / "labels.jsonl"), f"--secret={folder / 'secret'}"]
    return main([*argv, *flags])


def figure(folder: Path) -> dict[str, object]:
    """Returns the affective share of the whole run."""
    (row,) = query_run(
        folder / "run",
        "SELECT * FROM `{dataset}.figures_current` WHERE window_kind = 'range' AND facet = 'use' "
        "AND facet_value = 'affective' AND breakdown = 'overall' AND measure = 'share'",
    )
    return row


def test_the_truth_as_judge_corrects_the_figures(
    simulated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The simulator's labels go by id; with all conversations judged, the figure is the truth."""
    assert figure(simulated)["method"] != "judged"
    assert judge(simulated, "--judgements=100000", "--truth", str(truth(simulated))) == 0
    out = capsys.readouterr().out
    assert "0 refused, 0 invalid, 0 missing" in out
    found = figure(simulated)
    assert found["method"] == "judged"
    lines = (simulated / "archive" / "labels.jsonl").read_text().splitlines()
    labels = [json.loads(line) for line in lines]
    share = sum(each["use"] == "affective" for each in labels) / len(labels)
    assert abs(float(str(found["corrected"])) - share) < 6 / len(labels)  # The noise is up to 5.
    (affective,) = [line.split() for line in out.splitlines() if line.startswith("affective")]
    assert affective[1] == f"{100 * share:.1f}%"


def truth(folder: Path) -> Path:
    """Returns the file of the true counts."""
    return folder / "archive" / "truth.parquet"


def test_a_wrong_truth_is_one_sentence(simulated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that no simulation wrote is refused."""
    assert judge(simulated, "--truth", str(simulated / "secret")) == 2
    assert "is not the truth of a simulation" in capsys.readouterr().err


def test_the_sample_of_a_run_is_labelled(simulated: Path) -> None:
    """The sampled conversations are exported with their hashes, in the order of the sample."""
    tasks = simulated / "tasks.json"
    argv = ["label", "--run", str(simulated / "run"), "--judgements=30"]
    argv += ["--input", str(simulated / "archive" / "*.avro"), f"--secret={simulated / 'secret'}"]
    assert main([*argv, "--export=label-studio", "--output", str(tasks)]) == 0
    exported = json.loads(tasks.read_text("utf-8"))
    assert len(exported) == 30
    sampled = {row["conversation"] for row in query_sample(simulated)}
    assert {task["data"]["conversation"] for task in exported} == sampled


def query_sample(folder: Path) -> list[dict[str, object]]:
    """Returns the sample of the run."""
    (file,) = (folder / "run" / "restricted" / "tables").glob("sample-*.parquet")
    rows: list[dict[str, object]] = pq.read_table(file).to_pylist()
    return rows


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["label"], "name what to label"),
        (["label", "a.jsonl", "--run=b"], "name what to label"),
        (["label", "--run=b"], "--run needs --input"),
    ],
)
def test_label_says_what_is_missing(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without conversations there is one sentence that says how to name them."""
    assert main([*flags, "--export=argilla", "--output=out.json"]) == 2
    assert message in capsys.readouterr().err


def test_a_new_run_keeps_the_judgements(
    simulated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was judged is not judged again, though the run in the folder is another one."""
    assert judge(simulated, "--judgements=40") == 0
    run(simulated)
    capsys.readouterr()
    assert judge(simulated, "--judgements=40") == 0
    assert "40 sampled: 40 judged before, 0 judged" in capsys.readouterr().out
