"""Reads the schemas of Google's providers from the classes that were generated from those schemas.

Not everybody can reach Terraform's provider registry. HashiCorp's packages
`cdktf-cdktf-provider-google` and `-google-beta` have a class for each resource, block and
attribute. These classes contain all that `terraform validate` needs.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Final

from deploy.local.packages import FROM_LOCK, run_pip
from deploy.local.processes import alone

PROVIDERS: Final = ("google", "google-beta")
_LOCK: Final = Path(__file__).with_name("requirements.lock")
_CACHE: Final = Path(__file__).parents[2] / ".terraform-schema"
_NAMED: Final = re.compile(r"/docs/(resources|data-sources)/\S+ (\w+)\}")
_LINKED: Final = re.compile(r"/docs/\S*#(\w+) ")
_PRIMITIVES: Final = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
_COMPUTED: Final = {
    "cdktf.IResolvable": "bool",
    "cdktf.StringMap": ["map", "string"],
    "cdktf.NumberMap": ["map", "number"],
    "cdktf.BooleanMap": ["map", "bool"],
}

Schema = dict[str, Any]
"""`attributes` by name, with `type` and `required`, and `blocks`, which also have `single`."""


def provider_schemas() -> dict[str, Any]:
    """Returns, by provider name, the schemas `provider`, `resources` and `data_sources`.

    Raises:
      ServiceError: if the network is missing.
      InstallError: if the packages cannot be downloaded.
    """
    with alone(_CACHE):
        return _cached()


def _cached() -> dict[str, Any]:
    stamp = _CACHE / ".ready"
    sources = _LOCK.read_bytes() + Path(__file__).read_bytes()
    wanted = hashlib.sha256(sources).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(_CACHE, ignore_errors=True)
        wheels = _CACHE / "wheels"
        wheels.mkdir(parents=True)
        _download(wheels)
        for wheel in wheels.glob("*.whl"):
            name = "google-beta" if "beta" in wheel.name else "google"
            schema = _Assembly(_assembly_of(wheel)).schema()
            (_CACHE / f"{name}.json").write_text(json.dumps(schema))
        shutil.rmtree(wheels)
        stamp.write_text(wanted)
    return {name: json.loads((_CACHE / f"{name}.json").read_text()) for name in PROVIDERS}


def _download(folder: Path) -> None:
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        *FROM_LOCK, "--requirement", str(_LOCK), "--dest", str(folder),
    ]  # fmt: skip
    run_pip(command, "the schemas of the Google providers")


def _assembly_of(wheel: Path) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        (inner,) = (name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(archive.read(inner))) as package:
            described = package.extractfile("package/.jsii")
            assert described is not None
            assembly: dict[str, Any] = json.load(described)
            return assembly


class _Assembly:
    """The classes of one provider."""

    def __init__(self, assembly: dict[str, Any]) -> None:
        self._types = assembly["types"]

    def schema(self) -> dict[str, Any]:
        """Returns the schemas of the provider, its resources and its data sources."""
        found: dict[str, Any] = {"provider": {}, "resources": {}, "data_sources": {}}
        for described in self._types.values():
            base = described.get("base", "")
            if base == "cdktf.TerraformProvider":
                found["provider"] = self._of_class(described)
            elif base in ("cdktf.TerraformResource", "cdktf.TerraformDataSource"):
                named = _NAMED.search(described["docs"]["summary"])
                assert named is not None, described["fqn"]
                kind = "resources" if base.endswith("Resource") else "data_sources"
                found[kind][named[2]] = self._of_class(described)
        return found

    def _of_class(self, described: dict[str, Any]) -> Schema:
        config = described["initializer"]["parameters"][-1]["type"]["fqn"]
        schema = self._of_interface(self._types[config])
        written = {*schema["attributes"], *schema["blocks"]}
        for field in described["properties"]:
            name = _snake(field["name"])
            if field.get("static") or field["name"].endswith("Input") or name in written:
                continue
            kind = _type_of(field["type"])
            schema["attributes"][name] = {"type": kind, "computed": True}
        return schema

    def _of_interface(self, described: dict[str, Any]) -> Schema:
        schema: Schema = {"attributes": {}, "blocks": {}}
        for field in described.get("properties", []):
            linked = _LINKED.search(field["docs"].get("remarks", ""))
            name = linked[1] if linked else _snake(field["name"])
            required = not field.get("optional", False)
            nested = _nested(field["type"])
            if nested is None or nested not in self._types:
                kind = _type_of(field["type"])
                schema["attributes"][name] = {"type": kind, "required": required}
                continue
            schema["blocks"][name] = {
                **self._of_interface(self._types[nested]),
                "required": required,
                "single": "fqn" in field["type"],
            }
        return schema


def _nested(kind: dict[str, Any]) -> str | None:
    """Returns the name of a block's class, or None if the type is not a block."""
    if "fqn" in kind:
        return None if kind["fqn"].startswith("cdktf.") else str(kind["fqn"])
    inner = kind.get("union", {}).get("types", [])
    if "collection" in kind and kind["collection"]["kind"] == "array":
        inner = [kind["collection"]["elementtype"]]
    return next(filter(None, map(_nested, inner)), None)


def _type_of(kind: dict[str, Any]) -> Any:
    """Returns an attribute's type as Terraform writes it in JSON."""
    if "primitive" in kind:
        return _PRIMITIVES[kind["primitive"]]
    if "collection" in kind:
        shape = {"array": "list", "map": "map"}[kind["collection"]["kind"]]
        return [shape, _type_of(kind["collection"]["elementtype"])]
    if "union" in kind:
        known = [part for part in kind["union"]["types"] if "primitive" in part]
        return _type_of(known[0]) if known else "dynamic"
    return _COMPUTED.get(kind["fqn"], "dynamic")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda found: "_" + found[1].lower(), name)
