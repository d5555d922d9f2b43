"""Text normalization: what training sees, and the form in which near-copies are compared.

Both work on many lines at once, joined by newlines: one call into C for thousands of lines costs
less than thousands of calls.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache, partial
from operator import ne
from typing import Callable, List, Optional, Sequence, Tuple

UNICODE_FORMS = ("NFC", "NFKC", "none")

# Characters which readers do not see and which make two spellings of one word:
# - C0 and C1 controls except white space, which has become a plain space before,
# - the soft hyphen, a hint to a typesetter,
# - marks of text direction: letters have a direction of their own (UAX #9), and corpora set the
#   marks haphazardly,
# - word joiner, invisible operators, deprecated format characters, byte order mark, anchors of
#   annotations,
# - halves of surrogate pairs, which are not text at all.
# What spelling needs stays: ZWNJ (Persian, Indic scripts), ZWJ (Indic scripts, emoji), Mongolian
# vowel separator and variation selectors, number and year signs of Arabic.
CONTROL = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff]+"
)
# The zero-width space separates words in scripts that show no spaces (UAX #14's class SA: Thai,
# Lao, Myanmar, Khmer, the Tai scripts); elsewhere, it is a leftover of web pages.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf"
)
ZERO_WIDTH_SPACE = re.compile(f"(?<![{_UNSPACED}\u200b])\u200b+|\u200b+(?![{_UNSPACED}])")
# A side of these characters alone is empty.
INVISIBLE = "\u200b\u200c\u200d "


def normalize_spaces(line: str) -> str:
    """Return the line with single plain spaces between words and none at its ends.

    fairseq splits encoded text at every character that Python calls white space (no-break and
    ideographic spaces, U+2028, …), so only plain spaces may reach the vocabulary.
    """
    return " ".join(line.split())


def remove_control(text: str) -> str:
    """Remove control and format characters that no spelling needs; newlines stay."""
    text = CONTROL.sub("", text)
    return ZERO_WIDTH_SPACE.sub("", text) if "\u200b" in text else text


def normalize_lines(
    lines: Sequence[str], unicode_form: str, without_control: bool, changed: Counter
) -> List[str]:
    """Normalize spaces, then remove control characters, then normalize Unicode.

    Args:
        lines: Lines without newlines.
        unicode_form: One of UNICODE_FORMS.
        without_control: Whether to remove control characters.
        changed: Counts, by step, how many lines the step changed; updated in place.

    Returns:
        The lines, as many as before.
    """
    if not lines:
        return []
    steps: List[Tuple[str, Callable[[str], str]]] = []
    if without_control:
        steps.append(("control characters", remove_control))
    if unicode_form != "none":
        steps.append((f"to {unicode_form}", partial(unicodedata.normalize, unicode_form)))
    result = _normalize_spaces_of(lines, "spaces", changed)
    text = "\n".join(result)
    for name, function in steps:
        after = function(text)
        if after != text:
            # A removed character may have been between two spaces; and NFKC turns some characters
            # into a space and a mark.
            result = _normalize_spaces_of(after.split("\n"), name, changed, result)
            text = "\n".join(result)
    return result


def _normalize_spaces_of(
    lines: Sequence[str], step: str, changed: Counter, before: Optional[Sequence[str]] = None
) -> List[str]:
    """Normalize spaces, and count the lines that differ from those before the step."""
    result = [normalize_spaces(line) for line in lines]
    changed[step] += sum(map(ne, before or lines, result))
    return result


def comparison_forms(lines: Sequence[str]) -> List[bytes]:
    """Return the UTF-8 form of each line in which near-copies of a sentence are equal.

    The form is NFKC without case, spaces, punctuation, symbols and invisible characters. Digits
    stay, unlike in CCNet's and NLLB's normalization for deduplication (Wenzek et al. 2020, NLLB
    Team 2022), which turns all of them into 0: "Page 3" does not give "Page 7" away. Accents and
    vowel signs stay for the same reason. A line of punctuation alone is compared as it is. No line
    may contain a newline.
    """
    if not lines:
        return []
    text = unicodedata.normalize("NFKC", "\n".join(lines)).casefold()
    if not text.isascii():
        text = _ignored().sub("", text)
    forms = text.encode("utf-8", "surrogatepass").translate(None, _IGNORED_ASCII).split(b"\n")
    pairs = zip(forms, lines, strict=True)
    return [form or line.encode("utf-8", "surrogatepass") for form, line in pairs]


_IGNORED_ASCII = bytes(code for code in range(128) if not chr(code).isalnum() and chr(code) != "\n")
# punctuation, symbols, spaces, controls, format characters
_IGNORED_CATEGORIES = ("P", "S", "Z", "Cc", "Cf")


@lru_cache(maxsize=1)
def _ignored() -> "re.Pattern[str]":
    """Match what a comparison ignores beyond ASCII.

    These are the categories above in the first plane, and emoji in the others.
    """
    codes = {
        code
        for code in range(0x80, 0x10000)
        if unicodedata.category(chr(code)).startswith(_IGNORED_CATEGORIES)
    }
    starts = sorted(codes.difference(code + 1 for code in codes))
    ends = sorted(codes.difference(code - 1 for code in codes))
    ranges = "".join(f"{chr(s)}-{chr(e)}" for s, e in zip(starts, ends, strict=True))
    return re.compile(f"[{ranges}\U0001f000-\U0001faff]+")
