"""Finds the common words by which `transforms.classifiers.ngram.language` tells languages apart."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from training.sources import Conversation
from transforms.classifiers.ngram.language import VOTERS

MOST: Final = 300
"""The most words that are added for one language."""

_APART: Final = 6
"""A word must be this many times more common in its language than in any other language."""

_SEEN: Final = 3
_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")

_BY_HAND: Final = {
    "en": "the be to of and in that it for not on with as you do at this but his by from they we "
    "say her she or an will my all would there their what so up out if about who get which go "
    "me when make can like time just him know take into your good some could them see other "
    "than then now look only come its over think also back after use two how our work first "
    "well way even new want because any these give day most us is are was were been has had "
    "did does i'm it's don't i've that's i'll can't didn't isn't you're hi hello hey thanks "
    "thank please yes yeah ok write why where should more need help i tell feel going im dont",
    "es": "el los las de del y que en un una por con para es se lo su al como pero más porque muy "
    "sin sobre también hasta hay donde quien desde todo nos cuando ser está estoy son eres "
    "soy hola gracias cómo qué cuál quiero puedo tengo tiene hacer me mi yo tú usted esto ese "
    "eso había fue era bueno bien sí ya algo nada siempre vida años puede creo siento "
    "necesito",
    "pt": "o os as do da dos das e que em um uma por com para é se não na no nas nos ao como mas "
    "mais porque muito sem sobre também até há onde quem desde tudo quando ser está estou são "
    "você eu meu minha olá obrigado obrigada como qual quero posso tenho tem fazer me isso "
    "esse foi era bom bem sim já algo nada sempre vida anos pode acho sinto preciso pra tô",
    "fr": "le les de des du et que qui en un une par avec pour est il elle ce cette dans au aux "
    "comme mais plus parce très sans sur aussi où quand être je tu nous vous mon ma mes c'est "
    "j'ai suis sont bonjour salut merci comment quoi quel quelle veux peux ai fait faire pas "
    "ne se ça était bien oui toujours rien vie ans peut crois besoin d'un qu'il l'on",
    "de": "der die das und ist nicht ein eine einen einem zu den von mit für auf sich im dem des "
    "als auch es an er sie wir ihr ich du mein meine dein wie aber mehr weil sehr ohne über "
    "bis wo wer wenn sein bin sind war haben hat habe kann kannst hallo danke bitte was warum "
    "welche möchte muss machen mir mich dir nur noch schon immer nichts leben jahre gut ja "
    "nein doch",
}
"""Function words, and words that are common in chats."""


def common_words(conversations: Iterable[Conversation]) -> dict[str, list[str]]:
    """Returns each language's words: a hand-made list, and words rare in all other languages."""
    counts: dict[str, Counter[str]] = {code: Counter() for code in VOTERS}
    for conversation in conversations:
        if conversation.language in counts:
            for turn in conversation.turns:
                words = _WORD.findall(turn.text.lower().replace("\u2019", "'"))
                counts[conversation.language].update(words)
    shares = {
        code: {word: seen / own.total() for word, seen in own.items()}
        for code, own in counts.items()
    }
    found = {}
    for code, own in counts.items():
        others = [share for other, share in shares.items() if other != code]
        apart = [
            word
            for word, seen in own.most_common()
            if seen >= _SEEN
            and all(other.get(word, 0) * _APART < shares[code][word] for other in others)
        ]
        by_hand = _BY_HAND[code].split()
        found[code] = by_hand + [word for word in apart[:MOST] if word not in by_hand]
    return found


def write_words(words: dict[str, list[str]], path: Path) -> None:
    """Writes the classifier's word file, with one language per line."""
    lines = [f'"{code}": {json.dumps(own, ensure_ascii=False)}' for code, own in words.items()]
    path.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")
