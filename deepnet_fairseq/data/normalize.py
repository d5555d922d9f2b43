"""Two forms of a sentence: the text that training sees, and the form by which trivially altered copies of a sentence are recognised.

Both are made for many lines in one go, joined by newlines: a call into C for thousands of lines costs less than thousands of calls.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache, partial
from operator import ne
from typing import Callable, List, Optional, Sequence, Tuple

UNICODE_FORMS = ("NFC", "NFKC", "none")

# Characters which readers don't see and which make two spellings of one word:
# - C0 and C1 controls but for white space, which has become a plain space before,
# - the soft hyphen, a hint to a typesetter,
# - marks of text direction: letters have one of their own (UAX #9), and corpora set the marks haphazardly,
# - word joiner, invisible operators, deprecated format characters, byte order mark, anchors of annotations,
# - halves of surrogate pairs, which aren't text at all.
# What spelling needs stays: ZWNJ (Persian, Indic scripts), ZWJ (Indic scripts, emoji), Mongolian vowel separator and variation selectors,
# number and year signs of Arabic.
CONTROL = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]+"
)
# The zero-width space is the word separator of scripts that show none (UAX #14's class SA: Thai, Lao, Myanmar, Khmer, the Tai scripts);
# elsewhere, it is a leftover of web pages.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf"
)
ZERO_WIDTH_SPACE = re.compile(f"(?<![{_UNSPACED}\u200b])\u200b+|\u200b+(?![{_UNSPACED}])")
# A side of nothing but these is empty.
INVISIBLE = "\u200b\u200c\u200d "


def remove_control(text: str) -> str:
    """The text without control and format characters that no spelling needs; newlines stay."""
    text = CONTROL.sub("", text)
    return ZERO_WIDTH_SPACE.sub("", text) if "\u200b" in text else text


def normalize_lines(
    lines: Sequence[str], unicode_form: str, without_control: bool, changed: Counter
) -> List[str]:
    """The lines with plain spaces, without control characters (if asked for), and in one of UNICODE_FORMS, in this order.

    Counts in `changed` how many lines each step altered.
    """
    if not lines:
        return []
    steps: List[Tuple[str, Callable[[str], str]]] = []
    if without_control:
        steps.append(("control characters", remove_control))
    if unicode_form != "none":
        steps.append((f"to {unicode_form}", partial(unicodedata.normalize, unicode_form)))
    result = _plain_spaces(lines, "spaces", changed)
    text = "\n".join(result)
    for name, function in steps:
        after = function(text)
        if after != text:
            # What is gone may have stood between two spaces; and NFKC makes a space and a mark of some characters.
            result = _plain_spaces(after.split("\n"), name, changed, result)
            text = "\n".join(result)
    return result


def _plain_spaces(
    lines: Sequence[str], step: str, changed: Counter, before: Optional[Sequence[str]] = None
) -> List[str]:
    """The lines with plain spaces; counts those that differ from what they were before the step."""
    result = [normalize_spaces(line) for line in lines]
    changed[step] += sum(map(ne, before or lines, result))
    return result


def comparison_forms(lines: Sequence[str]) -> List[bytes]:
    """Each line in NFKC, without case, spaces, punctuation, symbols and invisible characters, as UTF-8; no line may hold a newline.

    Lines that readers would call the same sentence mostly share one form. Digits stay, unlike in CCNet's and NLLB's normalisation for
    de-duplication (Wenzek et al. 2020, NLLB Team 2022), which turns all of them into 0: "Page 3" doesn't give "Page 7" away. Accents and
    vowel signs stay for the same reason. A line of punctuation only is compared as it stands.
    """
    if not lines:
        return []
    text = unicodedata.normalize("NFKC", "\n".join(lines)).casefold()
    if not text.isascii():
        text = _ignored().sub("", text)
    forms = text.encode("utf-8", "surrogatepass").translate(None, _IGNORED_ASCII).split(b"\n")
    return [
        form or line.encode("utf-8", "surrogatepass")
        for form, line in zip(forms, lines, strict=True)
    ]


_IGNORED_ASCII = bytes(code for code in range(128) if not chr(code).isalnum() and chr(code) != "\n")
_IGNORED_CATEGORIES = (
    "P",
    "S",
    "Z",
    "Cc",
    "Cf",
)  # punctuation, symbols, spaces, controls, format characters


@lru_cache(maxsize=1)
def _ignored() -> "re.Pattern[str]":
    """What a comparison leaves out beyond ASCII: of the first plane, the categories above; of the others, emoji."""
    codes = [
        code
        for code in range(0x80, 0x10000)
        if unicodedata.category(chr(code)).startswith(_IGNORED_CATEGORIES)
    ]
    first, last = (
        set(codes).difference(code + 1 for code in codes),
        set(codes).difference(code - 1 for code in codes),
    )
    ranges = "".join(
        f"{chr(start)}-{chr(end)}" for start, end in zip(sorted(first), sorted(last), strict=True)
    )
    return re.compile(f"[{ranges}\U0001f000-\U0001faff]+")


def normalize_spaces(line: str) -> str:
    """One plain space between words and none at the ends.

    fairseq splits encoded text at every character that Python calls white space (no-break and ideographic spaces, U+2028 ...), so
    none of them but the plain space may reach the vocabulary.
    """
    return " ".join(line.split())
