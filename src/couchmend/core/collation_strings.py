"""Sort keys of strings: an approximation of ICU's root collation.

As in the Unicode collation algorithm (https://www.unicode.org/reports/tr10/), a key holds
three levels one after another: the letters, their accents, and their case and other
variants; a level decides only where all before it are equal.  `collation` says how near
this comes to ICU.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Final, NamedTuple

# The characters with a place of their own, in ICU's order, lower case only.  A space in a
# group stands for itself; accents and variants (full width, superscripts) are derived.
_SPACES = "\t\n\v\f\r\x85\u2028\u2029 "
_PUNCTUATION = "‾_‗-‐‒–—―,、;:!¡?¿.。·'‘’‚‛‹›\"“”„‟«»()[]{}〈〉《》「」『』【】§¶@*/\\&#%‰†‡•‣′‵※"
_SYMBOLS = "`´˜^¯˘˙¨˚˝¸˛°©®←→↑↓∂∆∏∑+±÷×<=>¬|¦~−√∞∩∫≈≡≤≥"
_CURRENCY = "¤¢$£¥֏฿₠₡₢₣₤₥₦₧₩₪₫€₭₮₯₰₱₲₳₴₵₸₹₺₽₿"
_DIGITS = "0123456789"
_LATIN = (
    "aⱥbƀɓƃcȼƈdɖɗƌȡeɇǝəɛfƒgǥɠɣƣhƕiıɨɩjȷɉkƙlƚɫȴƛmnɲƞȵŋoɔɵȣpƥqɋĸrʀɍsȿʃƪtŧⱦƫƭʈȶuʉɯʊvʋʌwxyɏƴȝ"
    "zƍƶȥɀʒƹƺþƿƻƨƽƅɂ"
)
_GREEK = "αβγδεϝͷϛζͱηθικλμνξοπϻϟϙρστυφχψωϡͳϸ"
_CYRILLIC = "аәӕбвгғҕдђҙеєжҗзѕӡиійјкқӄҡҟҝлљмнңӈҥњоөпҧҁрсҫтҭћуүұѹфхҳһѡѿѻцҵчҷҹҽҿџшщъыьѣэюяѥѧѫѩѭѯѱѳѵҩӏ"
_GEORGIAN = "აბგდევზჱთიკლმნჲოპჟრსტჳუფქღყშჩცძწჭხჴჯჰჵჶჷჸ"
_ACCENTS = (
    "\u0313\u0314\u0301\u0300\u0306\u0302\u030c\u030a\u0342\u0308\u030b\u0303\u0307\u0338"
    "\u0327\u0328\u0304"
)
_EXPANSIONS: Final = {
    "ø": "o\u0338", "đ": "d\u0335", "ð": "d\u0336", "ħ": "h\u0335", "ł": "l\u0335",
    "æ": "a\u0336e", "œ": "o\u0336e", "ß": "s\u0336s", "ŉ": "ʼn", "ґ": "г\u0335",
    "ך": "כ\u0335", "ם": "מ\u0335", "ן": "נ\u0335", "ף": "פ\u0335", "ץ": "צ\u0335",
}  # fmt: skip

# A letter that Unicode decomposes and ICU sorts by itself.
_WHOLE = "й"

# The groups in order.  What no table lists goes to the end of its group by code point:
# letters after all listed alphabets, then what Unicode does not know.
_ORDER: Final = (
    (_SPACES, "Z"), (_PUNCTUATION, "P"), (_SYMBOLS, "S"), (_CURRENCY, "Sc"), (_DIGITS, "N"),
    (_LATIN, "Latin"), (_GREEK, "Greek"), (_CYRILLIC, "Cyrillic"), (_GEORGIAN, "L"),
    ("", "unknown"), ("", "last"),
)  # fmt: skip

# The third level, by how a character varies what it decomposes into, for lower and upper
# case (https://www.unicode.org/reports/tr10/#Tertiary_Weight_Table).
_PLAIN, _UPPER = b"\x02", b"\x08"
_VARIANTS: Final = {
    "<wide>": b"\x03\x09", "<compat>": b"\x04\x0a", "<font>": b"\x05\x0b",
    "<circle>": b"\x06\x0c", "<super>": b"\x14\x14", "<sub>": b"\x15\x15",
    "<vertical>": b"\x16\x16", "<initial>": b"\x17\x17", "<medial>": b"\x18\x18",
    "<final>": b"\x19\x19", "<isolated>": b"\x1a\x1a", "<noBreak>": b"\x1b\x1b",
    "<square>": b"\x1c\x1d", "<fraction>": b"\x1e\x1e", "<narrow>": b"\x12\x12",
    "<small>": b"\x0f\x0f",
}  # fmt: skip
# By whether it is katakana, and whether it is a small one.
_KANA: Final = {
    (False, True): b"\x0d",
    (False, False): b"\x0e",
    (True, True): b"\x0f",
    (True, False): b"\x11",
}
_NO_ACCENT = b"\x01"
_VIRAMA = 9  # combining, but with a place among the letters
_IGNORED = re.compile("[\u034f\u0640\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")


class _Weights(NamedTuple):
    """What a character adds to each of the three levels."""

    letters: bytes
    accents: bytes
    variants: bytes


def _places() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The first-level weight of every listed character, and what begins those of a group.

    ASCII gets one byte; two more follow where several characters share one.
    """
    places, groups = {}, {}
    lead = shared = 1
    for listed, group in _ORDER:
        for place, char in enumerate(listed):
            if char.isascii():
                lead += 1
                places[char] = bytes((lead,))
            else:
                if shared < lead and (place == 0 or listed[place - 1].isascii()):
                    lead += 1
                    shared = lead
                places[char] = bytes((lead, place))
        lead += 1
        groups[group] = bytes((lead,))
    return places, groups


_PLACES, _GROUPS = _places()
_ACCENT_PLACES: Final = {mark: bytes((place + 2,)) for place, mark in enumerate(_ACCENTS)}
_ASCII_LETTERS: Final = bytes(
    _PLACES.get(chr(byte).lower(), b"\0")[0] if byte < 128 else 0 for byte in range(256)
)
_ASCII_IGNORED: Final = bytes(byte for byte in range(128) if not _ASCII_LETTERS[byte])
_ASCII_CASES: Final = b"".join(
    _UPPER if byte < 128 and chr(byte).isupper() else _PLAIN for byte in range(256)
)


def string_key(text: str) -> bytes:
    """The three levels, each ended by a zero byte that is less than every weight.

    Trailing weights of unaccented and of plain characters, the least of their levels, are
    left out.
    """
    if text.isascii():
        raw = text.encode()
        letters = raw.translate(_ASCII_LETTERS, _ASCII_IGNORED)
        if text.islower():
            return letters + b"\0\0\0"
        cases = raw.translate(_ASCII_CASES, _ASCII_IGNORED)
        return b"".join((letters, b"\0\0", cases.rstrip(b"\2"), b"\0"))
    weights = [_weights(char) for char in _decompose(text)]
    return b"".join(
        (
            *[weight.letters for weight in weights], b"\0",
            b"".join([weight.accents for weight in weights]).rstrip(_NO_ACCENT), b"\0",
            b"".join([weight.variants for weight in weights]).rstrip(_PLAIN), b"\0",
        )
    )  # fmt: skip


def _decompose(text: str) -> str:
    return (
        unicodedata.normalize("NFD", text)
        .replace("и\u0306", _WHOLE)
        .replace("И\u0306", _WHOLE.upper())
    )


@functools.lru_cache(maxsize=4096)
def _weights(char: str) -> _Weights:
    """The weights of one character of a decomposed string."""
    if char in _PLACES:
        return _Weights(_PLACES[char], _NO_ACCENT, _PLAIN)
    if char in _EXPANSIONS:
        return _joined(_EXPANSIONS[char])
    category = unicodedata.category(char)
    if category in ("Cc", "Cf") or _IGNORED.match(char):
        return _Weights(b"", b"", b"")
    if category == "Me" or unicodedata.combining(char) not in (0, _VIRAMA):
        return _Weights(b"", _ACCENT_PLACES.get(char) or b"\xff" + char.encode(), _PLAIN)
    variant = _varied(char)
    if variant is not None:
        return variant
    return _Weights(_by_code_point(char, category), _NO_ACCENT, _PLAIN)


def _varied(char: str) -> _Weights | None:
    """The weights of a character that is a variant of others: upper case, compatibility
    characters, digits of other scripts, katakana."""
    tag, _, codes = unicodedata.decomposition(char).partition(" ")
    if tag in _VARIANTS:
        plain = "".join(chr(int(code, 16)) for code in codes.split())
        return _joined(plain, _VARIANTS[tag][1:] if plain.lower() != plain else _VARIANTS[tag][:1])
    lower = char.lower()
    if lower != char:
        return _joined(lower, _UPPER)
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return _joined(str(digit))
    if "\u3041" <= char <= "\u3096" or "\u30a1" <= char <= "\u30f6":
        katakana = char >= "\u30a1"
        hiragana = chr(ord(char) - 0x60) if katakana else char
        small = "SMALL" in unicodedata.name(char)
        full = chr(ord(hiragana) + 1) if small else hiragana
        return _Weights(_by_code_point(full, "Lo"), _NO_ACCENT, _KANA[katakana, small])
    return None


def _joined(text: str, variant: bytes = _PLAIN) -> _Weights:
    """The weights of several characters as one, all of them in the variant given."""
    parts = [_weights(char) for char in _decompose(text)]
    return _Weights(
        b"".join(part.letters for part in parts),
        b"".join(part.accents for part in parts),
        b"".join(part.variants if variant == _PLAIN else variant for part in parts),
    )


def _by_code_point(char: str, category: str) -> bytes:
    if char == "\uffff":
        group = "last"
    elif category in ("Cn", "Co", "Cs"):
        group = "unknown"
    else:
        group = category if category in _GROUPS else category[0]
        group = group if group in _GROUPS else "L"
    # UTF-8 is in the order of code points and has none of the bytes that mean something.
    return _GROUPS[group] + char.encode()
