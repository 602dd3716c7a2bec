"""Classifiers of messages and conversations. They use NumPy, but not Beam."""

from __future__ import annotations

from transforms.classifiers.interface import Classifier, Judgements, probability
from transforms.classifiers.ngram.classifier import NgramClassifier, load_default

__all__ = ["Classifier", "Judgements", "NgramClassifier", "load_default", "probability"]
