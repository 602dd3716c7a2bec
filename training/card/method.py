"""Holds the chapters that are the same after every training: the method and the limits."""

from __future__ import annotations

from typing import Final

METHOD: Final = """
## How it learns, and what was tried

1. The encoder's table is a ridge regression from hashed n-grams to the first 48 principal
   directions of a multilingual sentence encoder's vectors (Universal Sentence Encoder, Apache-2.0).
   It is fitted to messages, to scraped fragments of permissively licensed sets, and to 150,000
   single words. It uses no labels.
2. The networks have one hidden layer of 64 units over that vector. They are trained together with
   the pooling head on whole conversations, with noise on the vectors. The accurate mode has such a
   network over the sentence encoder's own vectors.
3. The models of different folds are brought to one level on unlabelled text. The gate is calibrated
   at a prior of 3 % (Platt; the calibration accounts for unlabelled affective conversations). Each
   language is shifted to English's level of written negatives. Thresholds are set on scores of
   unseen text.

What helped most, in order:

- more written conversations by more authors;
- single words, centred and shortened by their frequency: AUC of languages with little text rose
  from about 0.8 to above 0.9;
- noise on the vectors;
- a *small* weight for real unlabelled conversations: at three times the weight of written ones the
  gate learned "real = not affective", and AUC on real ones fell from 0.93 to 0.87.

What did not help, and was left out:

- linear heads on n-grams, taught by the sentence encoder's logits: AUC on real conversations was
  0.05 below the encoder's;
- word lists of 12,000 words per language beside the encoder's own vocabulary: the similarity of
  vectors of unseen languages was 0.647 and 0.649;
- teaching the default network the accurate one's scores of a hundred thousand texts: AUC on real
  ones was 0.929 and 0.932 within a fold, and the same on written ones;
- 130,000 more scraped fragments;
- 64 or 96 dimensions in place of 48: AUC was 0.003 better, but the model too slow.

The weights come from the written corpora, from the human turns of real conversations (unlabelled),
and from sets under permissive licences: GoEmotions, SMILE, EmoLLM, SAD, Synthetic-Persona-Chat,
ChatGPT-prompts-zh, OASST prompts, Arena-Hard, Self-Instruct, MedQuAD, GSM8K, GPTeacher,
Character-LLM and XSTest. Sets under a research or non-commercial licence were only used to measure.
"""

LIMITS: Final = """
## Known limits

- It reads words, not situations. A riddle told in the first person can look like a confession, and
  a plain request for company can be missed.
- Sexual persona requests are under-represented: the corpus keeps romance tame.
- There are no real conversations in other languages than English to set thresholds with. Each of
  those languages has its level from written conversations alone.
- Rates that were measured on public chat logs are right for similar traffic. If yours differs (demo
  traffic, a niche product), measure rates on your own labelled sample and put them into
  `rates.json`.
- It does not see irony, or what only the assistant's turns reveal.
"""
