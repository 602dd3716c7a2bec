"""Turns a batch of texts into hashed n-grams, without a Python loop over characters.

The whole batch is one array of code points. Tokens, n-grams and their hashes come from shifted
views of it. A feature depends only on its own message: `extract` puts separators between messages,
so a window that reaches past a message meets a separator and never letters of another message.

A message has four kinds of features:

- its tokens: words, single CJK characters, and single symbols such as `?`, a bracket or an emoji;
- its pairs of neighbouring tokens; the first token forms a pair with the beginning of the message;
- its triples of CJK characters;
- runs of `CHARACTER_GRAMS` characters in words of an alphabet, including the edges of the word.
  They make the classifier less sensitive to typing errors and inflection.

Case is folded, compatibility forms are unified, and every digit counts as 0.

Only the first `HEAD_CHARS` and last `TAIL_CHARS` characters of a text are read. The ends of a
message say what it is for, and a pasted book must not cost more than a paragraph.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

HEAD_CHARS: Final = 1200
TAIL_CHARS: Final = 400
CHARACTER_GRAMS: Final = (3, 4)
BUCKET_BITS: Final = 18

SEPARATOR: Final = 0
SYMBOL: Final = 1
APOSTROPHE: Final = 2
LETTER: Final = 3
CYRILLIC: Final = 4
ARABIC: Final = 5
HAN: Final = 6
KANA: Final = 7
HANGUL: Final = 8

_CHUNK_CHARS: Final = 1 << 14
"""Characters processed at once. The temporary arrays of a chunk then stay in a core's cache."""

_CODE_POINTS: Final = 0x110000
_ROLL: Final = np.uint32(0x9E3779B1)
_MIX: Final = np.uint32(0x85EBCA6B)
_BEGIN: Final = np.uint32(0x27D4EB2F)
_SALTS: Final = tuple(
    np.uint32(salt)
    for salt in (0x0, 0x165667B1, 0xC2B2AE3D, 0x68E31DA4, 0xB5297A4D, 0x1B56C4E9, 0x7FEB352D)
)


@dataclass(frozen=True)
class Family:
    """Holds the hashed features of one kind, message after message.

    Attributes:
        buckets: intp (f,), below 2 ** `BUCKET_BITS`.
        offsets: int64 (n + 1,), where each message's features begin.
    """

    buckets: NDArray[np.intp]
    offsets: NDArray[np.int64]


@dataclass(frozen=True)
class Extract:
    """Holds the features, scripts and lengths of `n` texts.

    Attributes:
        families: the features; a message may have none.
        scripts: int64 (n, 5), how many characters are Cyrillic, Arabic, Han, kana and hangul.
        lengths: int64 (n,), how many characters were read.
    """

    families: tuple[Family, ...]
    scripts: NDArray[np.int64]
    lengths: NDArray[np.int64]


def chunks(texts: Sequence[str]) -> Iterator[tuple[slice, Extract]]:
    """Yields the features of `texts` in chunks of limited size, each with its slice of `texts`."""
    clipped = [_clip(text) for text in texts]
    begin = size = 0
    for index, text in enumerate(clipped):
        size += len(text) + 1
        if size >= _CHUNK_CHARS:
            yield slice(begin, index + 1), extract(clipped[begin : index + 1])
            begin, size = index + 1, 0
    if begin < len(clipped):
        yield slice(begin, len(clipped)), extract(clipped[begin:])


def extract(texts: Sequence[str]) -> Extract:
    """Extracts the features of clipped texts. Use `chunks` for texts of any size."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    joined = "\n" + "\n".join(texts) + "\n"
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4")
    begins = np.concatenate(([1], np.cumsum(lengths + 1) + 1))
    symbols, classes = _tables()
    kinds = classes.take(codes)
    letters = symbols.take(codes)
    words = _words(kinds)
    families = (
        *_token_families(letters, kinds, words, begins),
        *_character_families(letters, words, begins),
    )
    return Extract(families, _count_scripts(kinds, begins), lengths)


def _clip(text: str) -> str:
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return text[:HEAD_CHARS] + "\n" + text[-TAIL_CHARS:]


def _words(kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Marks the characters of words: letters, digits, and apostrophes between them."""
    words = (kinds >= LETTER) & (kinds <= ARABIC)
    inner = kinds[1:-1] == APOSTROPHE
    inner &= words[:-2]
    inner &= words[2:]
    words[1:-1] |= inner
    return words


def _token_families(
    letters: NDArray[np.uint32],
    kinds: NDArray[np.uint8],
    words: NDArray[np.bool_],
    begins: NDArray[np.int64],
) -> Iterator[Family]:
    """Yields tokens, pairs of tokens and triples of CJK characters."""
    cjk = kinds >= HAN
    single = cjk | (kinds == SYMBOL)
    first = words.copy()
    first[1:] &= ~words[:-1]
    first |= single
    starts = np.flatnonzero(first)
    offsets = np.searchsorted(starts, begins)
    if not len(starts):
        return
    spelled = letters * _powers(len(letters))
    spelled *= words | single
    tokens = np.add.reduceat(spelled, starts, dtype=np.uint32)
    tokens *= _inverse_powers(len(letters)).take(starts)
    yield Family(_buckets(tokens, 0), offsets)

    previous = np.empty_like(tokens)
    previous[1:] = tokens[:-1]
    opening = offsets[:-1][offsets[:-1] < offsets[1:]]
    previous[opening] = _BEGIN
    pairs = previous * _ROLL + tokens
    yield Family(_buckets(pairs, 1), offsets)

    ideographs = cjk.take(starts)
    triple = np.zeros(len(starts), np.bool_)
    triple[2:] = ideographs[2:] & ideographs[1:-1] & ideographs[:-2]
    triple[opening] = False
    triple[opening[opening + 1 < len(starts)] + 1] = False
    third = np.flatnonzero(triple)
    if len(third):
        triples = pairs.take(third - 1) * _ROLL + tokens.take(third)
        yield Family(_buckets(triples, 2), np.searchsorted(third, offsets))


def _character_families(
    letters: NDArray[np.uint32], words: NDArray[np.bool_], begins: NDArray[np.int64]
) -> Iterator[Family]:
    """Yields the runs of characters whose inner characters all belong to a word."""
    rolled = letters[:-1] * _ROLL + letters[1:]
    kept = np.ones(len(rolled), np.bool_)
    for length in range(3, max(CHARACTER_GRAMS) + 1):
        rolled = rolled[:-1] * _ROLL + letters[length - 1 :]
        kept = kept[:-1] & words[length - 2 : -1]
        if length in CHARACTER_GRAMS:
            places = np.flatnonzero(kept)
            yield Family(_buckets(rolled.take(places), length), np.searchsorted(places, begins - 1))


def _buckets(hashes: NDArray[np.uint32], salt: int) -> NDArray[np.intp]:
    mixed = hashes ^ (hashes >> np.uint32(15))
    mixed ^= _SALTS[salt]
    mixed *= _MIX
    mixed >>= np.uint32(32 - BUCKET_BITS)
    return mixed.astype(np.intp)


def _count_scripts(kinds: NDArray[np.uint8], begins: NDArray[np.int64]) -> NDArray[np.int64]:
    counts = np.zeros((len(begins) - 1, HANGUL - CYRILLIC + 1), np.int64)
    foreign = np.flatnonzero(kinds >= CYRILLIC)
    if len(foreign):
        scripts = kinds.take(foreign)
        for column in range(counts.shape[1]):
            places = foreign[scripts == CYRILLIC + column]
            counts[:, column] = np.diff(np.searchsorted(places, begins))
    return counts


@cache
def _all_powers() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Builds the powers of an odd base and of its inverse, modulo 2 ** 32.

    To hash a token, each character is multiplied by the power of its place in the chunk, and the
    products are added. The sum is then multiplied by the inverse power of the token's own place. So
    the hash depends only on the token, not on its place.
    """
    size = 2 * _CHUNK_CHARS
    base = 0x2545F491
    forward = np.full(size, base, np.uint32)
    backward = np.full(size, pow(base, -1, 1 << 32), np.uint32)
    forward[0] = backward[0] = 1
    return np.cumprod(forward, dtype=np.uint32), np.cumprod(backward, dtype=np.uint32)


def _powers(size: int) -> NDArray[np.uint32]:
    return _all_powers()[0][:size]


def _inverse_powers(size: int) -> NDArray[np.uint32]:
    return _all_powers()[1][:size]


@cache
def _tables() -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """Builds two tables of all code points: the hash of the folded form, and the class."""
    folded = np.arange(_CODE_POINTS, dtype=np.uint32)
    classes = np.full(_CODE_POINTS, LETTER, np.uint8)
    for code in range(0x10000):
        folded[code], classes[code] = _fold(chr(code))
    classes[0x1F000:0x1FC00] = SYMBOL
    classes[0x20000:0x33480] = HAN
    classes[0xE0000:] = SEPARATOR
    folded[classes == SEPARATOR] = ord(" ")
    for shift, multiplier in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        folded ^= folded >> np.uint32(shift)
        folded *= np.uint32(multiplier)
    return folded, classes


_SCRIPTS: Final = (
    ("CYRILLIC", CYRILLIC),
    ("ARABIC", ARABIC),
    ("CJK UNIFIED", HAN),
    ("CJK COMPATIBILITY IDEOGRAPH", HAN),
    ("HIRAGANA", KANA),
    ("KATAKANA", KANA),
    ("HANGUL", HANGUL),
)
_QUIET: Final = frozenset(',.;-"、。·')
"""Punctuation that is not a token. The words on both sides of it still form a pair."""


def _fold(character: str) -> tuple[int, int]:
    """Returns a character's folded code point and its class."""
    unified = unicodedata.normalize("NFKC", character)
    plain = unified if len(unified) == 1 else character
    plain = "'" if plain in "\u2018\u2019" else plain.lower()[0]
    category = unicodedata.category(plain)
    if category[0] in "ZC" or plain in _QUIET or "\ufe00" <= plain <= "\ufe0f":
        return ord(" "), SEPARATOR
    if plain == "'":
        return ord(plain), APOSTROPHE
    if category[0] in "PS":
        return ord(plain), SYMBOL
    if category == "Nd":
        return ord("0"), LETTER
    name = unicodedata.name(plain, "")
    for start, script in _SCRIPTS:
        if name.startswith(start):
            return ord(plain), script
    return ord(plain), LETTER
