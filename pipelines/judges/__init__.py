"""Judges of sampled conversations: a file of labels, the sentence encoder, or a language model."""
