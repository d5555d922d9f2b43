"""Phrases of Unicode CLDR in any language, through Babel."""

import unicodedata
from datetime import date, timedelta
from typing import Sequence

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_timedelta
from babel.lists import format_list
from babel.localedata import locale_identifiers
from babel.numbers import format_currency, get_currency_name
from babel.units import format_unit

from deepnet_fairseq.data.normalize import normalize_spaces
from deepnet_fairseq.errors import DataError

# Spans that CLDR has relative times for, in seconds: Babel divides by exactly these.
SPANS = {
    "year": 31536000,
    "month": 2592000,
    "week": 604800,
    "day": 86400,
    "hour": 3600,
    "minute": 60,
    "second": 1,
}
# OPUS-100's codes that are not CLDR's own.
LOCALE_OF_CODE = {"no": "nb", "zh": "zh_Hans", "sh": "sr_Latn"}
# Invisible direction marks (Arabic letter, left-to-right and right-to-left mark); their place is
# not part of a translation.
DIRECTION_MARKS = dict.fromkeys(map(ord, "\u061c\u200e\u200f"))


def locale_of(code: str) -> Locale:
    """Return the CLDR locale of a language code. Raise DataError if Babel does not have it."""
    try:
        return Locale.parse(LOCALE_OF_CODE.get(code, code))
    except (UnknownLocaleError, ValueError):
        listing = "from babel.localedata import locale_identifiers; print(*locale_identifiers())"
        raise DataError(
            f"{code!r} is not a language of CLDR, which has {len(locale_identifiers())} locales, "
            f'such as de, pt_BR or zh; list them with: python -c "{listing}"'
        ) from None


def clean(text: str) -> str:
    """Return CLDR's text as people write it.

    It has composed characters, plain spaces, and no invisible direction marks.
    """
    return normalize_spaces(unicodedata.normalize("NFC", text).translate(DIRECTION_MARKS))


def join(phrases: Sequence[str], style: str, locale: Locale) -> str:
    """Return a list as the locale writes it.

    Style `standard` is "a, b, and c" in English, and style `or` is "a, b, or c".
    """
    return clean(format_list(phrases, style, locale))


def country_name(locale: Locale, code: str) -> str:
    """Return a country's name, "" if CLDR has none."""
    return clean(locale.territories.get(code, ""))


def language_name(locale: Locale, code: str) -> str:
    """Return a language's name, "" if CLDR has none."""
    return clean(locale.languages.get(code, ""))


def quantity(locale: Locale, unit: str, number: int) -> str:
    """Return a number of units, in words if CLDR has them.

    In some languages it has only the unit's symbol (Chinese: 厘米 is both).
    """
    for length in ("long", "short"):
        text = format_unit(number, unit, length, locale=locale)
        if unit not in text:  # what Babel falls back to
            return clean(text)
    return ""


def price(locale: Locale, currency: str, number: int) -> str:
    """Return an amount with the currency's name in the number's plural form."""
    if get_currency_name(currency, number, locale) == currency:  # what Babel falls back to
        return ""
    text = format_currency(number, currency, "0", locale, currency_digits=False, format_type="name")
    return clean(text)


def moment(locale: Locale, span: str, number: int) -> str:
    """Return a time relative to now: "in 3 days" for 3, "3 days ago" for -3."""
    delta = timedelta(seconds=SPANS[span] * number)
    # Beyond a threshold, Babel would round to the next longer span.
    never = float("inf")
    text = format_timedelta(
        delta, granularity=span, threshold=never, add_direction=True, locale=locale
    )
    return clean(text)


def full_date(locale: Locale, day: date) -> str:
    """Return a date with its day of the week, such as Monday, March 3, 2014."""
    return clean(format_date(day, "full", locale))


def month_and_year(locale: Locale, month: date) -> str:
    """Return a month, such as May 2014."""
    return clean(format_skeleton("yMMMM", month, locale=locale))
