"""Tests that the image's build steps, run in a virtual environment, give working programs."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.metadata import TEMPLATES
from schemas.views import VIEWS
from tests.deploy.conftest import ROOT
from tests.deploy.dockerfile import Build, arguments_of, stages_of

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
STAGES = stages_of(DOCKERFILE)
NEEDED = (
    *(f"schemas/views/{name}.sql" for name in VIEWS),
    "schemas/conversation_event.avsc",
    "schemas/conversation_event.proto",
    "schemas/conversation_event_pb2.py",
    "transforms/estimation/rates.json",
    "pipelines/report/templates/",
)
"""Files that the programs need besides modules."""

follows_the_build = pytest.mark.xdist_group("release")


def pins_of(lock: Path) -> dict[str, str]:
    """Returns the version of each package in a lock."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", lock.read_text(), re.MULTILINE))


def test_every_copied_file_is_there() -> None:
    """Each file that a build step copies exists, and the build context has no other files."""
    copied = {
        source.removeprefix("./")
        for stage in STAGES.values()
        for step in stage.steps_named("COPY")
        if "from" not in step.flags
        for source in step.words[:-1]
    }
    assert all((ROOT / source).exists() for source in copied)
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in sent if line.startswith("!")} == copied


def test_steps_copy_only_from_stages_of_the_file() -> None:
    """A step copies only from a stage of the file; `package` and `final` start from `locked`."""
    for stage in STAGES.values():
        for step in stage.steps_named("COPY"):
            assert step.flags.get("from", "final") in STAGES
    assert STAGES["final"].base == STAGES["package"].base == "locked"


def test_the_launcher_finds_its_main() -> None:
    """The launcher is told to run the path to which the image copies `flex_main.py`."""
    environment = dict(
        word.split("=", 1) for step in STAGES["final"].steps_named("ENV") for word in step.words
    )
    targets = {step.words[0]: step.words[1] for step in STAGES["final"].steps_named("COPY")}
    assert environment["FLEX_TEMPLATE_PYTHON_PY_FILE"] == targets["deploy/flex_main.py"]
    assert environment["RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT"] == "1"
    (entry,) = STAGES["final"].steps_named("ENTRYPOINT")
    assert json.loads(" ".join(entry.words).replace("[", '["').replace("]", '"]')) == [
        "/opt/apache/beam/boot"
    ]


def test_the_boot_program_has_the_locked_version_of_beam() -> None:
    """The boot program and the Beam package in the image have the same version."""
    pins = pins_of(ROOT / "requirements.lock")
    assert arguments_of(DOCKERFILE)["BEAM_VERSION"] == pins["apache-beam"]
    assert "python3.11" in STAGES["beam"].base
    assert STAGES["locked"].base.startswith("python:3.11-")


def test_the_image_has_the_tested_versions() -> None:
    """The image's lock has the same versions as the lock with which all tests run."""
    tested = pins_of(ROOT / "requirements-dev.lock")
    shipped = pins_of(ROOT / "requirements.lock")
    assert {name: tested.get(name) for name in shipped} == shipped
    assert not {"pytest", "mypy", "jax"} & {*shipped}


def test_cloud_build_pushes_the_image_before_the_templates() -> None:
    """Cloud Build builds our Dockerfile, pushes the image, and only then builds every template."""
    build = yaml.safe_load((ROOT / "deploy" / "cloudbuild.yaml").read_text())
    steps = {step["id"]: step["args"] for step in build["steps"]}
    assert [*steps] == ["build", "push", *(template.name for template in TEMPLATES)]
    assert "--file=deploy/Dockerfile" in steps["build"]
    image = steps["push"][-1]
    for template in TEMPLATES:
        arguments = steps[template.name]
        assert f"--image={image}" in arguments
        assert f"--metadata-file=deploy/templates/{template.name}.json" in arguments
        assert f"gs://${{_TEMPLATES}}/$TAG_NAME/{template.name}.json" in arguments


@follows_the_build
@pytest.mark.parametrize("module", ["pipelines.stream", "pipelines.backfill"])
def test_the_installed_programs_start_alone(
    sdist_python: Path, module: str, tmp_path: Path
) -> None:
    """Outside the repository, each installed program prints its flags."""
    done = subprocess.run(
        [sdist_python, "-m", module, "--help"], cwd=tmp_path, env={"PATH": ""},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--dataset" in done.stdout


@follows_the_build
def test_the_package_comes_from_the_sdist(sdist_python: Path, tmp_path: Path) -> None:
    """The programs use the installed modules and model, not those of the repository."""
    script = (
        "import pipelines.graph, transforms.classifiers as c; "
        "print(pipelines.graph.__file__); print(c.load_default().version)"
    )
    done = subprocess.run(
        [sdist_python, "-c", script], cwd=tmp_path, env={"PATH": ""},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    module, version = done.stdout.split()
    assert "site-packages" in module
    assert version


@follows_the_build
def test_the_launchers_file_starts(release: Build, tmp_path: Path) -> None:
    """The launcher's file runs on the image's Python, and refuses a wrong flag in one sentence."""
    file = release.root / "opt" / "undertone" / "flex_main.py"
    command = [
        str(release.python),
        str(file),
        "--subscription=nonsense",
        "--dataset=project.tables",
        "--secret=projects/p/secrets/s/versions/1",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PATH": ""},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "nonsense" in done.stderr
    assert "Traceback" not in done.stderr
