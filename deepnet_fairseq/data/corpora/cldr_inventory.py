"""What the sentences of the cldr corpus speak of, as CLDR codes: a config asks for the first so many of each list."""

# Roughly by population, use and wealth; entries without a name of their own in one of a corpus's languages are passed over.
COUNTRIES = (
    "IN CN US ID PK NG BR BD RU MX JP ET PH EG CD VN IR TR DE TH GB FR IT TZ ZA MM KE KR CO ES UG AR DZ SD UA IQ AF PL CA MA SA UZ PE AO "
    "MY MZ GH YE NP VE MG CM AU LK NL CL KZ SN TD SO ZW RO EC KH CU SE PT GR CZ HU IL AT CH FI DK NO IE BG NZ BE"
).split()
CURRENCIES = "USD EUR JPY GBP CNY INR CHF CAD AUD RUB KRW BRL MXN SEK TRY PLN EGP ZAR THB NOK IDR DKK HUF CZK VND UAH ILS".split()
UNITS = (
    "length-kilometer mass-kilogram volume-liter duration-hour length-meter mass-gram length-centimeter duration-minute volume-milliliter "
    "length-millimeter area-square-kilometer temperature-celsius duration-week digital-gigabyte length-mile duration-second area-hectare "
    "speed-kilometer-per-hour digital-megabyte area-square-meter length-foot power-watt mass-pound energy-kilowatt-hour volume-cubic-meter"
).split()
LANGUAGES = (
    "en zh es hi ar fr bn pt ru ur id de ja sw tr ta vi ko it fa th pl uk nl el hu cs sv he fi da ro bg nb sk hr ca et lv lt sl sr mn ka hy"
).split()
# The spans that CLDR has relative times for, in seconds: Babel divides by exactly these.
SPANS = {
    "year": 31536000,
    "month": 2592000,
    "week": 604800,
    "day": 86400,
    "hour": 3600,
    "minute": 60,
    "second": 1,
}
