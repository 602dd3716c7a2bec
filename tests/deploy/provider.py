"""Replaces Google's Terraform providers; enough for `validate` and `plan`, without a cloud.

From the providers' schemas, Terraform itself resolves every reference, checks every block and
attribute, and evaluates every expression. Values that only Google knows, such as computed names,
stay unknown.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import msgspec

from deploy.local.processes import LOOPBACK
from tests.deploy.provider_schema import Schema

_SERVICE: Final = "tfplugin5.Provider"
_UNKNOWN: Final = msgspec.msgpack.Ext(0, b"\0")
_SINGLE, _LIST = 1, 2
_OWN_NAMES: Final = (
    "account_id", "table_id", "dataset_id", "secret_id", "service", "display_name", "name",
)  # fmt: skip

sys.path.insert(0, str(Path(__file__).parent))
_messages: Any = grpc.protos("provider.proto")
sys.path.pop(0)


@contextmanager
def serving(schemas: dict[str, Any], *, invent: bool = False) -> Iterator[dict[str, str]]:
    """Serves a provider for each schema; yields the environment variable that Terraform needs.

    Args:
      schemas: each provider's schema, by its name.
      invent: whether a plan makes up the names that Google would give. Then a test can read
        everything else in the plan.
    """
    with ExitStack() as stack:
        attached = {}
        for name, schema in schemas.items():
            server = grpc.server(ThreadPoolExecutor(4))
            server.add_generic_rpc_handlers((_handlers(schema, invent),))
            port = server.add_insecure_port(f"{LOOPBACK}:0")
            server.start()
            stack.callback(_stop, server)
            attached[f"registry.terraform.io/hashicorp/{name}"] = {
                "Protocol": "grpc",
                "ProtocolVersion": 5,
                "Pid": os.getpid(),
                "Test": True,
                "Addr": {"Network": "tcp", "String": f"{LOOPBACK}:{port}"},
            }
        yield {"TF_REATTACH_PROVIDERS": json.dumps(attached)}


def _stop(server: Any) -> None:
    server.stop(None).wait()


def _handlers(schema: dict[str, Any], invent: bool) -> grpc.GenericRpcHandler:
    described = _described(schema).SerializeToString()

    def planned(request: bytes) -> bytes:
        change = _messages.Change.FromString(request)
        state = _decoded(change.proposed_new_state)
        given = {name for name, value in state.items() if value is not None}
        for name, attribute in schema["resources"][change.type_name]["attributes"].items():
            if name not in given and not attribute.get("required"):
                made_up = invent and attribute["type"] == "string"
                state[name] = _invented(change.type_name, state, name) if made_up else _UNKNOWN
        return _bytes(_messages.Planned(planned_state=_encoded(state)))

    def upgraded(request: bytes) -> bytes:
        stored = _messages.Stored.FromString(request)  # Terraform has this schema already.
        state = _messages.DynamicValue(json=stored.raw_state.json)
        return _bytes(_messages.Upgraded(upgraded_state=state))

    def prepared(request: bytes) -> bytes:
        return request  # The answer has the configuration in the same field.

    def nothing(request: bytes) -> bytes:
        del request
        return b""

    answers: dict[str, Callable[[bytes], bytes]] = {
        "GetSchema": lambda _: described,
        "PrepareProviderConfig": prepared,
        "ValidateResourceTypeConfig": nothing,
        "Configure": nothing,
        "PlanResourceChange": planned,
        "UpgradeResourceState": upgraded,
        "Stop": nothing,
    }
    methods = {
        name: grpc.unary_unary_rpc_method_handler(lambda request, _, answer=answer: answer(request))
        for name, answer in answers.items()
    }
    return grpc.method_handlers_generic_handler(_SERVICE, methods)


def _invented(kind: str, state: dict[str, Any], attribute: str) -> str:
    """Returns a name that contains the resource and the attribute, as most of Google's names do."""
    own = next((state[key] for key in _OWN_NAMES if isinstance(state.get(key), str)), "one")
    return f"{kind}/{own}/{attribute}"


def _described(schema: dict[str, Any]) -> Any:
    """Returns the schemas as a message of the provider protocol."""
    return _messages.Schemas(
        provider=_schema(schema["provider"]),
        resource_schemas={name: _schema(one) for name, one in schema["resources"].items()},
        data_source_schemas={name: _schema(one) for name, one in schema["data_sources"].items()},
    )


def _schema(one: Schema) -> Any:
    return _messages.Schema(block=_block(one))


def _block(one: Schema) -> Any:
    attributes = [
        _messages.Schema.Attribute(
            name=name,
            type=json.dumps(attribute["type"]).encode(),
            required=attribute.get("required", False),
            # We do not know which optional attributes Google fills in, so any may be computed.
            optional=not attribute.get("required") and not attribute.get("computed"),
            computed=not attribute.get("required"),
        )
        for name, attribute in one["attributes"].items()
    ]
    nested = [
        _messages.Schema.NestedBlock(
            type_name=name,
            block=_block(block),
            nesting=_SINGLE if name == "timeouts" else _LIST,
            min_items=int(block["required"]),
            max_items=int(block["single"] and name != "timeouts"),
        )
        for name, block in one["blocks"].items()
    ]
    return _messages.Schema.Block(attributes=attributes, block_types=nested)


def _bytes(message: Any) -> bytes:
    encoded: bytes = message.SerializeToString()
    return encoded


def _decoded(value: Any) -> Any:
    return msgspec.msgpack.decode(value.msgpack)


def _encoded(state: Any) -> Any:
    return _messages.DynamicValue(msgpack=msgspec.msgpack.encode(state))
