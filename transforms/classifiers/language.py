"""Tells a message's language: by script where that decides it, else by votes of common words.

Only Latin-script languages need the vote. Words are compared by the hash that `features` gave them,
so the vote costs one gather a word. A tie, or no vote at all, is `und`: a wrong language would
misplace a cell, an undetermined one is counted as such.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import LANGUAGES
from transforms.classifiers.features import BUCKET_BITS, Extract, extract

_SCRIPT_SHARE: Final = 4
"""A script decides from a quarter of the characters on: quoted foreign words do not."""

_VOTERS: Final = ("en", "es", "pt", "fr", "de")
_LANE_BITS: Final = 12

_WORDS: Final = {
    "en": "the be to of and in that it for not on with as you do at this but his by from they we "
    "say her she or an will my all would there their what so up out if about who get which go me "
    "when make can like time just him know take into your good some could them see other than "
    "then now look only come its over think also back after use two how our work first well way "
    "even new want because any these give day most us is are was were been has had did does i'm "
    "it's don't i've that's i'll can't didn't isn't you're hi hello hey thanks thank please yes "
    "yeah ok write why where should more need help i tell feel going im dont",
    "es": "el los las de del y que en un una por con para es se lo su al como pero más porque muy "
    "sin sobre también hasta hay donde quien desde todo nos cuando ser está estoy son eres soy "
    "hola gracias cómo qué cuál quiero puedo tengo tiene hacer me mi yo tú usted esto ese eso "
    "había fue era bueno bien sí ya algo nada siempre vida años puede creo siento necesito",
    "pt": "o os as do da dos das e que em um uma por com para é se não na no nas nos ao como mas "
    "mais porque muito sem sobre também até há onde quem desde tudo quando ser está estou são "
    "você eu meu minha olá obrigado obrigada como qual quero posso tenho tem fazer me isso esse "
    "foi era bom bem sim já algo nada sempre vida anos pode acho sinto preciso pra tô",
    "fr": "le les de des du et que qui en un une par avec pour est il elle ce cette dans au aux "
    "comme mais plus parce très sans sur aussi où quand être je tu nous vous mon ma mes c'est "
    "j'ai suis sont bonjour salut merci comment quoi quel quelle veux peux ai fait faire pas ne "
    "se ça était bien oui toujours rien vie ans peut crois besoin d'un qu'il l'on",
    "de": "der die das und ist nicht ein eine einen einem zu den von mit für auf sich im dem des "
    "als auch es an er sie wir ihr ich du mein meine dein wie aber mehr weil sehr ohne über bis "
    "wo wer wenn sein bin sind war haben hat habe kann kannst hallo danke bitte was warum welche "
    "möchte muss machen mir mich dir nur noch schon immer nichts leben jahre gut ja nein doch",
}


def identify(read: Extract) -> NDArray[np.int8]:
    """Gives each message's index into `labels.LANGUAGES`; int8 (n,)."""
    languages = _vote(read)
    cyrillic, arabic, han, kana, hangul = read.scripts.T
    cjk = han + kana + hangul
    enough = np.maximum(read.lengths, 1)
    for name, decided in (
        ("ru", (cyrillic * _SCRIPT_SHARE >= enough) & (cyrillic >= arabic)),
        ("ar", (arabic * _SCRIPT_SHARE >= enough) & (arabic > cyrillic)),
        ("zh", (cjk * _SCRIPT_SHARE >= enough) & (kana * 8 < cjk) & (hangul * 4 < cjk)),
        ("ko", (cjk * _SCRIPT_SHARE >= enough) & (hangul * 4 >= cjk) & (hangul >= kana)),
        ("ja", (cjk * _SCRIPT_SHARE >= enough) & (kana * 8 >= cjk) & (kana > hangul)),
    ):
        languages[decided] = LANGUAGES.index(name)
    return languages


def _vote(read: Extract) -> NDArray[np.int8]:
    if not read.families:
        return np.zeros(len(read.lengths), np.int8)
    tokens = read.families[0]
    running = np.zeros(len(tokens.buckets) + 1, np.uint64)
    np.cumsum(_ballots().take(tokens.buckets), out=running[1:])
    votes = running[tokens.offsets[1:]] - running[tokens.offsets[:-1]]
    lanes = np.arange(len(_VOTERS), dtype=np.uint64) * np.uint64(_LANE_BITS)
    counts = (votes[:, None] >> lanes) & np.uint64((1 << _LANE_BITS) - 1)
    best = counts.max(axis=1)
    sure = (best > 0) & ((counts == best[:, None]).sum(axis=1) == 1)
    voted = np.array([LANGUAGES.index(name) for name in _VOTERS], np.int8)[counts.argmax(axis=1)]
    return np.where(sure, voted, np.int8(0))


@cache
def _ballots() -> NDArray[np.uint64]:
    """Builds the table from a token's bucket to its votes, a lane of 12 bits a language."""
    table = np.zeros(1 << BUCKET_BITS, np.uint64)
    for lane, name in enumerate(_VOTERS):
        buckets = extract([_WORDS[name]]).families[0].buckets
        table[np.unique(buckets)] += np.uint64(1 << (lane * _LANE_BITS))
    return table
