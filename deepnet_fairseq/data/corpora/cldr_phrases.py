"""Phrases from Unicode CLDR through Babel: one entry of an inventory, said in any language.

A `Phrasebook` numbers the phrases of a few sorts (dates, quantities, prices, ...) independently of any language, and says each number in
each language. Entries whose name is missing or ambiguous in one of the languages are left out for all, so phrases translate one to one.
"""

import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Callable, Dict, List, Sequence, Set, Tuple

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_timedelta
from babel.lists import format_list
from babel.localedata import locale_identifiers
from babel.numbers import format_currency, get_currency_name
from babel.units import format_unit

from deepnet_fairseq.data.corpora.cldr_inventory import (
    COUNTRIES,
    CURRENCIES,
    LANGUAGES,
    SPANS,
    UNITS,
)
from deepnet_fairseq.data.normalize import normalize_spaces
from deepnet_fairseq.errors import DataError

# OPUS-100's codes which aren't CLDR's own.
LOCALE_OF_CODE = {"no": "nb", "zh": "zh_Hans", "sh": "sr_Latn"}
# Numbers that fall into different plural forms somewhere: the names of two units must differ at all of them.
PLURAL_PROBES = (1, 2, 3, 5, 11)
# Invisible direction marks (Arabic letter, left-to-right and right-to-left mark); their place isn't part of a translation.
DIRECTION_MARKS = dict.fromkeys(map(ord, "\u061c\u200e\u200f"))


def locale_of(code: str) -> Locale:
    """The CLDR locale of a language code. Raises DataError for a code which Babel doesn't have."""
    try:
        return Locale.parse(LOCALE_OF_CODE.get(code, code))
    except (UnknownLocaleError, ValueError):
        known = 'python -c "from babel.localedata import locale_identifiers; print(*locale_identifiers())"'
        raise DataError(
            f"{code!r} is not a language of CLDR, which has {len(locale_identifiers())} locales, such as de, pt_BR or zh; list them "
            f"with: {known}"
        ) from None


def clean(text: str) -> str:
    """CLDR's text as one writes it: composed characters, plain spaces, no invisible direction marks."""
    return normalize_spaces(unicodedata.normalize("NFC", text).translate(DIRECTION_MARKS))


def join(phrases: Sequence[str], style: str, locale: Locale) -> str:
    """A list in the locale's way: style `standard` is "a, b, and c", `or` is "a, b, or c"."""
    return clean(format_list(phrases, style, locale))


def country_name(locale: Locale, code: str) -> str:
    return clean(locale.territories.get(code, ""))


def language_name(locale: Locale, code: str) -> str:
    return clean(locale.languages.get(code, ""))


def quantity(locale: Locale, unit: str, number: int) -> str:
    """A number of units in words, or with the unit's symbol where CLDR has no more in that language (Chinese: 厘米 is both)."""
    for length in ("long", "short"):
        text = format_unit(number, unit, length, locale=locale)
        if unit not in text:  # what Babel falls back to
            return clean(text)
    return ""


def price(locale: Locale, currency: str, number: int) -> str:
    """An amount with the currency's name, in the plural form that goes with the number."""
    if get_currency_name(currency, number, locale) == currency:  # what Babel falls back to
        return ""
    return clean(
        format_currency(number, currency, "0", locale, currency_digits=False, format_type="name")
    )


def moment(locale: Locale, span: str, number: int) -> str:
    """A time relative to now: "in 3 days" for 3, "3 days ago" for -3."""
    # Past any threshold, Babel would round to the next longer span.
    delta = timedelta(seconds=SPANS[span] * number)
    return clean(
        format_timedelta(
            delta, granularity=span, threshold=float("inf"), add_direction=True, locale=locale
        )
    )


@dataclass
class InventorySizes:
    """How many entries of each inventory a corpus speaks of."""

    countries: int
    currencies: int
    units: int
    language_names: int
    max_number: int  # numbers run from 1 to this
    first_year: int
    years: int


@dataclass(frozen=True)
class Sort:
    """One sort of phrase: how many there are, and how the phrase of a number is said."""

    size: int
    say: Callable[[Locale, int], str]


class Phrasebook:
    """The phrases of every sort, in every language of a corpus. Raises DataError if a language or an inventory doesn't suffice."""

    def __init__(self, languages: Sequence[str], sizes: InventorySizes) -> None:
        self.locales: Dict[str, Locale] = {code: locale_of(code) for code in languages}
        self.sorts = self._make_sorts(sizes)
        self._said: Dict[Tuple[str, str, int], str] = {}

    def say(self, language: str, sort: str, number: int) -> str:
        """The phrase of a number, once rendered and then remembered."""
        key = (language, sort, number)
        if key not in self._said:
            self._said[key] = self.sorts[sort].say(self.locales[language], number)
        return self._said[key]

    def _make_sorts(self, sizes: InventorySizes) -> Dict[str, Sort]:
        countries = self._choose(
            "countries", COUNTRIES, sizes.countries, lambda locale, c: (country_name(locale, c),)
        )
        tongues = self._choose(
            "language_names",
            LANGUAGES,
            sizes.language_names,
            lambda locale, c: (language_name(locale, c),),
        )
        currencies = self._choose(
            "currencies", CURRENCIES, sizes.currencies, lambda locale, c: _probe(price, locale, c)
        )
        units = self._choose(
            "units", UNITS, sizes.units, lambda locale, u: _probe(quantity, locale, u)
        )
        spans, top = list(SPANS), sizes.max_number
        first, end = date(sizes.first_year, 1, 1), date(sizes.first_year + sizes.years, 1, 1)

        def say_month(locale: Locale, number: int) -> str:
            return clean(
                format_skeleton(
                    "yMMMM",
                    date(sizes.first_year + number // 12, number % 12 + 1, 1),
                    locale=locale,
                )
            )

        def say_moment(locale: Locale, number: int) -> str:
            span, offset = divmod(number, 2 * top)
            return moment(locale, spans[span], offset + 1 if offset < top else top - offset - 1)

        return {
            "date": Sort(
                (end - first).days,
                lambda locale, n: clean(format_date(first + timedelta(days=n), "full", locale)),
            ),
            "month": Sort(12 * sizes.years, say_month),
            "moment": Sort(2 * top * len(spans), say_moment),
            "quantity": Sort(
                top * len(units), lambda locale, n: quantity(locale, units[n // top], n % top + 1)
            ),
            "price": Sort(
                top * len(currencies),
                lambda locale, n: price(locale, currencies[n // top], n % top + 1),
            ),
            "country": Sort(len(countries), lambda locale, n: country_name(locale, countries[n])),
            "language": Sort(len(tongues), lambda locale, n: language_name(locale, tongues[n])),
        }

    def _choose(
        self,
        option: str,
        entries: Sequence[str],
        wanted: int,
        names_of: Callable[[Locale, str], Tuple[str, ...]],
    ) -> List[str]:
        """The first entries which have, in every language, names that no earlier one has."""
        taken: Dict[str, Set[str]] = {code: set() for code in self.locales}
        lacking: Counter = Counter()
        chosen: List[str] = []
        for entry in entries:
            if len(chosen) == wanted:
                break
            names = {
                code: {name.casefold() for name in names_of(locale, entry)}
                for code, locale in self.locales.items()
            }
            without = [
                code
                for code in names
                if "" in names[code] or names[code] & taken[code] or entry.casefold() in names[code]
            ]
            if without:
                lacking.update(without)
                continue
            chosen.append(entry)
            for code in names:
                taken[code] |= names[code]
        if len(chosen) < wanted:
            blame = (
                f" (most are missing or ambiguous in {lacking.most_common(1)[0][0]})"
                if lacking
                else ""
            )
            raise DataError(
                f"corpus.{option} is {wanted}, but only {len(chosen)} have a name of their own in every language{blame}; "
                f"lower it to {len(chosen)} or less, or leave that language out"
            )
        return chosen


def _probe(say: Callable[[Locale, str, int], str], locale: Locale, entry: str) -> Tuple[str, ...]:
    return tuple(say(locale, entry, number) for number in PLURAL_PROBES)
