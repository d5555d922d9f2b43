"""The embedded corpus: sentences built from Unicode CLDR, the same contents in many languages, in OPUS-100's layout.

Needs no network. The bytes depend only on the config and on Babel's version (which carries CLDR).
"""

import json
import random
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set, Tuple

import babel

from deepnet_fairseq.data.bitext import write_pair
from deepnet_fairseq.data.cleaning import SplitCounts
from deepnet_fairseq.data.corpora.cldr_phrases import InventorySizes, Phrasebook
from deepnet_fairseq.data.corpora.cldr_sentences import KINDS, Sentences
from deepnet_fairseq.data.corpora.inputs import Counts, Inputs
from deepnet_fairseq.data.corpus_paths import SUPERVISED, ZERO_SHOT
from deepnet_fairseq.data.stages import JOURNAL_NAME
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair, pair_name, parse_pair, sort_pair

LISTED_AT_ONCE = (
    100000  # contents of a kind; of more, one after another is drawn until it is a new one
)

Content = Tuple[str, int]  # a kind of sentence, and the number of one of its contents
Said = Dict[str, str]  # a content in words: language -> sentence


@dataclass
class CldrConfig(InventorySizes):
    """What `corpus:` holds when its kind is cldr."""

    languages: List[str] = field(
        default_factory=list
    )  # OPUS-100's codes or Babel's locales, without the pivot
    pivot: str = "en"  # the language of all supervised pairs
    seed: int = 1
    train_lines: int = 10000  # sentences per supervised pair; each pair draws its own
    train_lines_of: Dict[str, int] = field(
        default_factory=dict
    )  # language -> another number for its pair, such as {yo: 500}
    dev_lines: int = 500  # the same contents in all pairs
    test_lines: int = 500  # the same contents in all pairs, zero-shot ones too
    zero_shot: List[str] = field(default_factory=list)  # pairs that are only tested, such as de-fr
    kinds: List[str] = field(
        default_factory=lambda: list(KINDS)
    )  # patterns of sentences, see cldr_sentences.KINDS
    countries: int = 40
    currencies: int = 12
    units: int = 12
    language_names: int = 20  # languages that sentences speak of, whichever they are written in
    max_number: int = 99  # quantities, prices and relative times count from 1 to this
    first_year: int = 2010
    years: int = 10  # dates fall into so many years

    def __post_init__(self) -> None:
        if not self.languages:
            raise DataError(
                "languages is empty; list the languages besides the pivot, such as [de, fr]"
            )
        if self.pivot in self.languages or len(set(self.languages)) < len(self.languages):
            raise DataError(
                f"languages is {self.languages}; name each language once, and leave the pivot {self.pivot!r} out"
            )
        numbers = {
            f"train_lines_of.{language}": lines for language, lines in self.train_lines_of.items()
        }
        for name in (
            "train_lines",
            "dev_lines",
            "test_lines",
            "countries",
            "currencies",
            "units",
            "language_names",
            "max_number",
            "years",
        ):
            numbers[name] = getattr(self, name)
        for name, number in numbers.items():
            if number < 1:
                raise DataError(f"{name} is {number}; it must be at least 1")
        strangers = [language for language in self.train_lines_of if language not in self.languages]
        if strangers:
            raise DataError(
                f"train_lines_of has {strangers[0]!r}, which is not one of the languages {self.languages}"
            )
        if not 1 <= self.first_year <= 9999 - self.years:
            raise DataError(
                f"first_year is {self.first_year} and years {self.years}; dates must fall into the years 1 to 9998"
            )
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise DataError(f"kinds is {self.kinds}; choose one or more of {', '.join(KINDS)}")
        for pair in self.zero_shot_pairs():
            strangers = [code for code in pair if code not in self.languages]
            if strangers:
                raise DataError(
                    f"zero_shot has {pair_name(pair)}, but {strangers[0]!r} is not one of the languages {self.languages}"
                )

    def resolve_paths(self, folder: Path) -> None:
        """This corpus reads no files."""

    def supervised_pairs(self) -> List[Pair]:
        return [sort_pair(self.pivot, language) for language in self.languages]

    def zero_shot_pairs(self) -> List[Pair]:
        return [parse_pair(name) for name in self.zero_shot]

    def untested_pairs(self) -> List[Pair]:
        return []

    def test_sets(self) -> Dict[str, List[Pair]]:
        return {}

    def all_languages(self) -> List[str]:
        return sorted([self.pivot, *self.languages])

    def fingerprint(self) -> Dict[str, Any]:
        """What the corpus depends on: the config, and the version of CLDR that Babel carries."""
        return {**asdict(self), "babel": babel.__version__}


def build(config: CldrConfig, root: Path, inputs: Inputs) -> Counts:
    """Write the corpus into the folder root; return its counts. Raises DataError when the inventory is too small for what is asked for."""
    sentences = _sentences(config)
    available = sum(sentences.count(kind) for kind in sentences.kinds)
    if (
        available
        < max(config.train_lines, *config.train_lines_of.values(), 0)
        + config.dev_lines
        + config.test_lines
    ):
        raise _too_small(config, available)
    nothing_taken: Dict[str, Set[str]] = {language: set() for language in config.all_languages()}
    held_out = _draw(
        config, sentences, "held-out", config.dev_lines + config.test_lines, nothing_taken
    )
    dev, test = held_out[: config.dev_lines], held_out[config.dev_lines :]
    jobs = {}
    for pair in config.supervised_pairs():
        sides = [
            [{language: said[language] for language in pair} for said in part]
            for part in (dev, test)
        ]
        jobs[f"{SUPERVISED}/{pair_name(pair)}"] = (config, root, pair, *sides)
    counts: Counts = inputs.jobs.run(_build_pair, jobs, "cldr", root / JOURNAL_NAME)
    for pair in config.zero_shot_pairs():
        lines = write_pair(
            root, pair, "test", ((said[pair[0]], said[pair[1]]) for said in test), part=ZERO_SHOT
        )
        counts[f"{ZERO_SHOT}/{pair_name(pair)}"] = {"test": asdict(SplitCounts(lines, lines, {}))}
    return counts


def _build_pair(
    config: CldrConfig, root: Path, pair: Pair, dev: List[Said], test: List[Said]
) -> Dict[str, Dict]:
    """Draw a pair's training sentences and write all its splits; return their counts."""
    taken = {language: {said[language] for said in dev + test} for language in pair}
    [language] = [language for language in pair if language != config.pivot]
    wanted = config.train_lines_of.get(language, config.train_lines)
    train = _draw(config, _sentences(config), pair_name(pair), wanted, taken)
    counts = {}
    for split, contents in (("train", train), ("dev", dev), ("test", test)):
        lines = write_pair(root, pair, split, ((said[pair[0]], said[pair[1]]) for said in contents))
        counts[split] = asdict(SplitCounts(lines, lines, {}))
    return counts


def _sentences(config: CldrConfig) -> Sentences:
    """The sentences of a config; the last config's are kept, since choosing words that all languages have takes a while."""
    return _sentences_of(json.dumps(asdict(config)))


@lru_cache(maxsize=1)
def _sentences_of(config_as_json: str) -> Sentences:
    config = CldrConfig(**json.loads(config_as_json))
    return Sentences(Phrasebook(config.all_languages(), config), list(dict.fromkeys(config.kinds)))


def _draw(
    config: CldrConfig, sentences: Sentences, name: str, wanted: int, taken: Dict[str, Set[str]]
) -> List[Said]:
    """Contents in random order, kinds in equal parts, whose sentences are new in all languages of `taken`; the name varies the draw.

    Raises DataError when the contents run out.
    """
    reserved = max(len(texts) for texts in taken.values())
    seen = {language: set(texts) for language, texts in taken.items()}
    chosen: List[Said] = []
    for kind, number in _shuffled(sentences, f"{config.seed}/{name}"):
        said = {language: sentences.say(language, kind, number) for language in seen}
        if any(said[language] in seen[language] for language in seen):
            continue
        for language in seen:
            seen[language].add(said[language])
        chosen.append(said)
        if len(chosen) == wanted:
            random.Random(f"{config.seed}/{name}/order").shuffle(chosen)
            return chosen
    raise _too_small(config, len(chosen) + reserved)


def _shuffled(sentences: Sentences, seed: str) -> Iterator[Content]:
    """All contents in random order, one of each kind in turn; a kind that runs out is passed over."""
    # A seed of text is hashed by SHA-512, the same in every process.
    orders = [
        (kind, _random_order(sentences.count(kind), random.Random(f"{seed}/{kind}")))
        for kind in sentences.kinds
    ]
    while orders:
        running = []
        for kind, order in orders:
            number = next(order, None)
            if number is not None:
                running.append((kind, order))
                yield kind, number
        orders = running


def _random_order(count: int, rng: random.Random) -> Iterator[int]:
    """The numbers below count in random order, without a list of them when they are many."""
    if count <= LISTED_AT_ONCE:
        yield from rng.sample(range(count), count)
        return
    drawn: Set[int] = set()
    while len(drawn) < count:
        number = rng.randrange(count)
        if number not in drawn:
            drawn.add(number)
            yield number


def _too_small(config: CldrConfig, available: int) -> DataError:
    most = max(config.train_lines, *config.train_lines_of.values(), 0)
    return DataError(
        f"corpus.train_lines (the most of any pair), dev_lines and test_lines are {most} + {config.dev_lines} + {config.test_lines} per "
        f"pair, but the inventory yields only {available} distinct sentences; ask for less, or raise corpus.countries, max_number, years "
        "or the number of kinds"
    )
