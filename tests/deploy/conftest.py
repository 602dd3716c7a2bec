"""Creates the image's Python and a Terraform that needs no cloud, once for all tests."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from deploy.local.processes import ServiceError, alone
from tests.deploy.dockerfile import Build, stages_of
from tests.services import have

ROOT: Final = Path(__file__).parents[2]
_ENVIRONMENT: Final = ROOT / ".venv-release"

PLANNED: Final = {
    "project": "my-project",
    "release": "0.1.0",
    "analysts": "group:analysts@example.com",
    "operators": "group:operators@example.com",
    "erasers": "group:privacy@example.com",
    "alert_readers": "group:care@example.com",
    "notify": "oncall@example.com",
    "next_key_rotation": "2027-11-01T00:00:00Z",
    "enforced_encoding": "BINARY",
    "judging": {},
    "judge_key_version": 1,
}
"""With these variables, Terraform creates every resource of the module."""


def needs(program: str) -> str:
    """Returns the path of a program; if it is not installed, the test is skipped or fails."""

    def found() -> str:
        path = shutil.which(program)
        if path is None:
            raise ServiceError(f"{program} is not installed; install it and put it on the PATH")
        return path

    path: str = have(found)
    return path


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Follows the image's build steps: installs the locked dependencies and the package's sdist."""
    stages = stages_of((ROOT / "deploy" / "Dockerfile").read_text())
    root = tmp_path_factory.mktemp("image")
    build = Build(ROOT, root, _ENVIRONMENT)

    def made() -> Build:
        with alone(_ENVIRONMENT):
            _make_locked(Build(ROOT, root, _ENVIRONMENT), stages["locked"].steps)
        build.follow(stages["package"].steps)
        # `follow` skips a COPY from a different stage, so the folder must be in place already.
        (root / "opt" / "undertone").mkdir(parents=True, exist_ok=True)
        shutil.copytree(root / "dist", root / "opt" / "undertone" / "dist")
        subprocess.run(
            [build.python, "-m", "pip", "uninstall", "--yes", "--quiet", "undertone"], check=True
        )
        build.follow(stages["final"].steps)
        return build

    followed: Build = have(made)
    return followed


@pytest.fixture(scope="session")
def sdist_python(release: Build) -> Path:
    """Returns a Python with only the locked dependencies and the package's sdist installed."""
    return release.python


def _make_locked(build: Build, steps: Any) -> None:
    """Creates the environment of the locked dependencies, unless it exists already."""
    lock = (ROOT / "requirements.lock").read_bytes()
    wanted = hashlib.sha256(lock + sys.version.encode()).hexdigest()
    stamp = build.environment / ".ready"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    shutil.rmtree(build.environment, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", build.environment], check=True)
    build.follow(steps)
    stamp.write_text(wanted)


class Ran(NamedTuple):
    """The output of a Terraform command, and whether it succeeded."""

    succeeded: bool
    text: str


class Terraform:
    """Terraform in a copy of the module."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder / "deploy" / "terraform"
        shutil.copytree(ROOT / "deploy" / "terraform", self.folder)
        shutil.copytree(ROOT / "schemas", folder / "schemas")
        shutil.copy2(ROOT / "deploy" / "transform_name_mapping.json", folder / "deploy")
        self._environment = {**os.environ, **environment, "TF_CLI_CONFIG_FILE": os.devnull}

    def run(self, *arguments: str) -> Ran:
        """Runs a Terraform command."""
        done = subprocess.run(
            ["terraform", *arguments], cwd=self.folder, env=self._environment,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        return Ran(done.returncode == 0, done.stdout + done.stderr)

    def write_variables(self, variables: dict[str, Any]) -> None:
        """Writes the variables to `test.tfvars.json`."""
        (self.folder / "test.tfvars.json").write_text(json.dumps(variables))

    def remember(self, address: str, values: dict[str, Any]) -> None:
        """Writes a Terraform state in which one resource exists with these values."""
        kind, name = address.split(".")
        resource = {
            "mode": "managed", "type": kind, "name": name,
            "provider": 'provider["registry.terraform.io/hashicorp/google"]',
            "instances": [{"schema_version": 0, "attributes": values}],
        }  # fmt: skip
        state = {"version": 4, "serial": 1, "lineage": "test", "resources": [resource]}
        (self.folder / "terraform.tfstate").write_text(json.dumps(state))

    def plan(self, **variables: Any) -> dict[str, Any]:
        """Returns the plan for these variables, as `terraform show -json` prints it."""
        self.write_variables(variables)
        ran = self.run("plan", "-no-color", "-var-file=test.tfvars.json", "-out=plan")
        assert ran.succeeded, ran.text
        shown = self.run("show", "-json", "plan")
        assert shown.succeeded, shown.text
        plan: dict[str, Any] = json.loads(shown.text)
        return plan


@pytest.fixture(scope="session")
def terraformed(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Terraform]]:
    """Creates an initialised Terraform; `invent=True` makes up values that only Google knows."""
    needs("terraform")
    # The import compiles the protocol, which other tests of this folder do not need.
    from contextlib import ExitStack  # noqa: PLC0415

    from tests.deploy.provider import serving  # noqa: PLC0415
    from tests.deploy.provider_schema import provider_schemas  # noqa: PLC0415

    schemas = _mentioned(have(provider_schemas))
    with ExitStack() as stack:

        def make(*, invent: bool = False) -> Terraform:
            environment = stack.enter_context(serving(schemas, invent=invent))
            terraform = Terraform(tmp_path_factory.mktemp("terraform"), environment)
            ran = terraform.run("init", "-backend=false", "-no-color")
            assert ran.succeeded, ran.text
            return terraform

        yield make


@pytest.fixture(scope="session")
def planned(terraformed: Callable[..., Terraform]) -> dict[str, Any]:
    """Returns the values of each resource that Terraform would create with all variables set."""
    plan = terraformed(invent=True).plan(**PLANNED)
    resources = plan["planned_values"]["root_module"]["resources"]
    return {resource["address"]: resource["values"] for resource in resources}


def _mentioned(schemas: dict[str, Any]) -> dict[str, Any]:
    """Returns only the schemas that the module uses; all thousand would take seconds to read."""
    files = (ROOT / "deploy" / "terraform").glob("*.tf*")
    named = set(re.findall(r"google_\w+", "".join(file.read_text() for file in files)))
    return {
        provider: {
            "provider": schema["provider"],
            "resources": {k: v for k, v in schema["resources"].items() if k in named},
            "data_sources": {k: v for k, v in schema["data_sources"].items() if k in named},
        }
        for provider, schema in schemas.items()
    }
