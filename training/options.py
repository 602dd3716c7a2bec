"""Reads the options that training and evaluation share."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

MODEL: Final = Path(__file__).parents[1] / "transforms" / "classifiers" / "ngram" / "model.npz"
DATA: Final = Path(__file__).parents[2] / "shared" / "data"
CACHE: Final = Path(tempfile.gettempdir()) / "undertone-training"


def data_folder(given: str | None) -> Path:
    """Returns the data folder, or exits with one sentence if it does not exist."""
    path = Path(given or os.environ.get("UNDERTONE_DATA") or DATA)
    if not (path / "train").is_dir():
        sys.exit(f"There is no train/ in the data folder {path}; name the folder with --data.")
    return path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that training and evaluation share."""
    parser.add_argument("--data", help="data folder (default: $UNDERTONE_DATA)")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for embeddings")
    parser.add_argument("--model", type=Path, default=MODEL, help="model file to write")
