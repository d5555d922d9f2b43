"""The phrases of the cldr corpus, numbered independently of the language.

There are a few types of them (dates, quantities, prices, …). Entries of an inventory whose name is
missing or ambiguous in one of the languages are left out for all, so phrases translate one to one.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Callable, Dict, List, Sequence, Set, Tuple

from babel import Locale

from deepnet_fairseq.data.corpora.cldr_phrases import (
    SPANS,
    country_name,
    full_date,
    language_name,
    locale_of,
    moment,
    month_and_year,
    price,
    quantity,
)
from deepnet_fairseq.errors import DataError

# CLDR codes, of which a config takes the first few of each list: roughly by population, use and
# wealth. Entries without a name of their own in one of a corpus's languages are skipped.
COUNTRIES = (
    "IN CN US ID PK NG BR BD RU MX JP ET PH EG CD VN IR TR DE TH GB FR IT TZ ZA MM KE KR CO ES UG "
    "AR DZ SD UA IQ AF PL CA MA SA UZ PE AO MY MZ GH YE NP VE MG CM AU LK NL CL KZ SN TD SO ZW RO "
    "EC KH CU SE PT GR CZ HU IL AT CH FI DK NO IE BG NZ BE"
).split()
CURRENCIES = (
    "USD EUR JPY GBP CNY INR CHF CAD AUD RUB KRW BRL MXN SEK TRY PLN EGP ZAR THB NOK IDR DKK HUF "
    "CZK VND UAH ILS"
).split()
UNITS = (
    "length-kilometer mass-kilogram volume-liter duration-hour length-meter mass-gram "
    "length-centimeter duration-minute volume-milliliter length-millimeter area-square-kilometer "
    "temperature-celsius duration-week digital-gigabyte length-mile duration-second area-hectare "
    "speed-kilometer-per-hour digital-megabyte area-square-meter length-foot power-watt mass-pound "
    "energy-kilowatt-hour volume-cubic-meter"
).split()
LANGUAGES = (
    "en zh es hi ar fr bn pt ru ur id de ja sw tr ta vi ko it fa th pl uk nl el hu cs sv he fi da "
    "ro bg nb sk hr ca et lv lt sl sr mn ka hy"
).split()
# Numbers in different plural forms in some language: the names of two units must differ at all.
PLURAL_PROBES = (1, 2, 3, 5, 11)


@dataclass
class InventorySizes:
    """How many entries of each inventory a corpus uses."""

    countries: int = 40
    currencies: int = 12
    units: int = 12
    language_names: int = 20  # languages that sentences are about, whichever they are in
    max_number: int = 99  # quantities, prices and relative times count from 1 to this
    first_year: int = 2010
    years: int = 10  # dates are within so many years


@dataclass(frozen=True)
class PhraseType:
    """One type of phrase: how many there are, and how the phrase of a number is rendered."""

    size: int
    render: Callable[[Locale, int], str]


class Phrasebook:
    """The phrases of every type in every language of a corpus.

    Raises:
        DataError: CLDR lacks a language, or an inventory has too few entries.
    """

    def __init__(self, languages: Sequence[str], sizes: InventorySizes) -> None:
        self.locales: Dict[str, Locale] = {code: locale_of(code) for code in languages}
        self.types = self._make_types(sizes)
        self._rendered: Dict[Tuple[str, str, int], str] = {}

    def render(self, language: str, phrase_type: str, number: int) -> str:
        """Return the phrase of a number; it is rendered once."""
        key = (language, phrase_type, number)
        if key not in self._rendered:
            render = self.types[phrase_type].render
            self._rendered[key] = render(self.locales[language], number)
        return self._rendered[key]

    def _make_types(self, sizes: InventorySizes) -> Dict[str, PhraseType]:
        countries = self._choose("countries", COUNTRIES, sizes.countries, _single(country_name))
        languages = self._choose(
            "language_names", LANGUAGES, sizes.language_names, _single(language_name)
        )
        currencies = self._choose("currencies", CURRENCIES, sizes.currencies, _plurals(price))
        units = self._choose("units", UNITS, sizes.units, _plurals(quantity))
        return {
            **_date_types(sizes),
            "moment": _moment_type(sizes.max_number),
            "quantity": _counted(quantity, units, sizes.max_number),
            "price": _counted(price, currencies, sizes.max_number),
            "country": _named(country_name, countries),
            "language": _named(language_name, languages),
        }

    def _choose(
        self,
        option: str,
        entries: Sequence[str],
        count: int,
        names_of: Callable[[Locale, str], Tuple[str, ...]],
    ) -> List[str]:
        """Return the first entries whose names in every language are not an earlier one's."""
        used: Dict[str, Set[str]] = {code: set() for code in self.locales}
        lacking: Counter = Counter()
        chosen: List[str] = []
        for entry in entries:
            if len(chosen) == count:
                break
            names = {
                code: {name.casefold() for name in names_of(locale, entry)}
                for code, locale in self.locales.items()
            }
            without = [
                code
                for code in names
                if "" in names[code] or names[code] & used[code] or entry.casefold() in names[code]
            ]
            if without:
                lacking.update(without)
                continue
            chosen.append(entry)
            for code in names:
                used[code] |= names[code]
        if len(chosen) < count:
            raise _too_few(option, count, len(chosen), lacking)
        return chosen


def _too_few(option: str, count: int, available: int, lacking: Counter) -> DataError:
    cause = ""
    if lacking:
        cause = f" (most are missing or ambiguous in {lacking.most_common(1)[0][0]})"
    return DataError(
        f"corpus.{option} is {count}, but only {available} have a name of their own in every "
        f"language{cause}; lower it to {available} or less, or leave that language out"
    )


def _single(name_of: Callable[[Locale, str], str]) -> Callable[[Locale, str], Tuple[str, ...]]:
    return lambda locale, entry: (name_of(locale, entry),)


def _plurals(
    render: Callable[[Locale, str, int], str],
) -> Callable[[Locale, str], Tuple[str, ...]]:
    return lambda locale, entry: tuple(render(locale, entry, n) for n in PLURAL_PROBES)


def _named(name_of: Callable[[Locale, str], str], entries: List[str]) -> PhraseType:
    return PhraseType(len(entries), lambda locale, n: name_of(locale, entries[n]))


def _counted(
    render: Callable[[Locale, str, int], str], entries: List[str], max_number: int
) -> PhraseType:
    return PhraseType(
        max_number * len(entries),
        lambda locale, n: render(locale, entries[n // max_number], n % max_number + 1),
    )


def _date_types(sizes: InventorySizes) -> Dict[str, PhraseType]:
    first, end = date(sizes.first_year, 1, 1), date(sizes.first_year + sizes.years, 1, 1)

    def render_date(locale: Locale, number: int) -> str:
        return full_date(locale, first + timedelta(days=number))

    def render_month(locale: Locale, number: int) -> str:
        month = date(sizes.first_year + number // 12, number % 12 + 1, 1)
        return month_and_year(locale, month)

    return {
        "date": PhraseType((end - first).days, render_date),
        "month": PhraseType(12 * sizes.years, render_month),
    }


def _moment_type(max_number: int) -> PhraseType:
    spans = list(SPANS)

    def render(locale: Locale, number: int) -> str:
        span, offset = divmod(number, 2 * max_number)
        is_future = offset < max_number
        return moment(locale, spans[span], offset + 1 if is_future else max_number - offset - 1)

    return PhraseType(2 * max_number * len(spans), render)
