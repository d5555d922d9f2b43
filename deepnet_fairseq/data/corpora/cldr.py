"""The embedded corpus: sentences built from Unicode CLDR, the same contents in many languages.

Needs no network. The bytes depend only on the config and on Babel's version, which includes CLDR.
"""

import json
import random
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Set

import babel

from deepnet_fairseq.data.bitext import SUPERVISED, ZERO_SHOT, write_pair
from deepnet_fairseq.data.cleaning import SplitCounts
from deepnet_fairseq.data.corpora.base import Corpus
from deepnet_fairseq.data.corpora.build import BuildContext, Counts
from deepnet_fairseq.data.corpora.cldr_phrasebook import InventorySizes, Phrasebook
from deepnet_fairseq.data.corpora.cldr_sentences import KINDS, Sentences
from deepnet_fairseq.data.stages import JOURNAL_NAME
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair, pair_name, parse_pair, sort_pair

Translations = Dict[str, str]  # one content: language -> sentence


@dataclass
class CldrCorpus(InventorySizes, Corpus):
    """What `corpus:` holds if its kind is cldr. The pivot is in all supervised pairs."""

    # OPUS-100's codes or Babel's locales, without the pivot
    languages: List[str] = field(default_factory=list)
    train_lines: int = 10000  # sentences per supervised pair; each pair samples its own
    # language -> another number for its pair, such as {yo: 500}
    train_lines_of: Dict[str, int] = field(default_factory=dict)
    dev_lines: int = 500  # the same contents in all pairs
    test_lines: int = 500  # the same contents in all pairs, zero-shot ones included
    zero_shot: List[str] = field(default_factory=list)  # pairs that are only tested, such as de-fr
    # sentence patterns, see cldr_sentences.KINDS
    kinds: List[str] = field(default_factory=lambda: list(KINDS))

    def __post_init__(self) -> None:
        self._check_languages()
        self._check_numbers()
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise DataError(f"kinds is {self.kinds}; choose one or more of {', '.join(KINDS)}")
        for pair in self.zero_shot_pairs():
            unknown = [code for code in pair if code not in self.languages]
            if unknown:
                raise DataError(
                    f"zero_shot has {pair_name(pair)}, "
                    f"but {unknown[0]!r} is not one of the languages {self.languages}"
                )

    def _check_languages(self) -> None:
        if not self.languages:
            raise DataError(
                "languages is empty; list the languages besides the pivot, such as [de, fr]"
            )
        if self.pivot in self.languages or len(set(self.languages)) < len(self.languages):
            raise DataError(
                f"languages is {self.languages}; "
                f"name each language once, and leave the pivot {self.pivot!r} out"
            )

    def _check_numbers(self) -> None:
        numbers = {f"train_lines_of.{code}": lines for code, lines in self.train_lines_of.items()}
        for name in ("train_lines", "dev_lines", "test_lines"):
            numbers[name] = getattr(self, name)
        for name in ("countries", "currencies", "units", "language_names", "max_number", "years"):
            numbers[name] = getattr(self, name)
        for name, number in numbers.items():
            if number < 1:
                raise DataError(f"{name} is {number}; it must be at least 1")
        unknown = [language for language in self.train_lines_of if language not in self.languages]
        if unknown:
            raise DataError(
                f"train_lines_of has {unknown[0]!r}, "
                f"which is not one of the languages {self.languages}"
            )
        if not 1 <= self.first_year <= 9999 - self.years:
            raise DataError(
                f"first_year is {self.first_year} and years {self.years}; "
                "dates must fall into the years 1 to 9998"
            )

    def supervised_pairs(self) -> List[Pair]:
        return [sort_pair(self.pivot, language) for language in self.languages]

    def zero_shot_pairs(self) -> List[Pair]:
        return [parse_pair(name) for name in self.zero_shot]

    def fingerprint(self) -> Dict[str, Any]:
        return {**super().fingerprint(), "babel": babel.__version__}

    def build(self, root: Path, context: BuildContext) -> Counts:
        sentences = _sentences(self)
        available = sum(sentences.count(kind) for kind in sentences.kinds)
        if available < self.max_train_lines() + self.dev_lines + self.test_lines:
            raise _too_small(self, available)
        none_used: Dict[str, Set[str]] = {language: set() for language in self.all_languages()}
        evaluation_lines = self.dev_lines + self.test_lines
        evaluation = _sample(self, sentences, "held-out", evaluation_lines, none_used)
        dev, test = evaluation[: self.dev_lines], evaluation[self.dev_lines :]
        arguments = {}
        for pair in self.supervised_pairs():
            pair_dev, pair_test = (
                [{language: content[language] for language in pair} for content in contents]
                for contents in (dev, test)
            )
            name = f"{SUPERVISED}/{pair_name(pair)}"
            arguments[name] = (self, root, pair, pair_dev, pair_test)
        counts: Counts = context.jobs.run(_build_pair, arguments, "cldr", root / JOURNAL_NAME)
        for pair in self.zero_shot_pairs():
            split_counts = _write(root, pair, "test", test, ZERO_SHOT)
            counts[f"{ZERO_SHOT}/{pair_name(pair)}"] = {"test": split_counts}
        return counts

    def max_train_lines(self) -> int:
        """Return the number of training sentences of the largest pair."""
        return max(self.train_lines, *self.train_lines_of.values(), 0)


def _build_pair(
    corpus: CldrCorpus, root: Path, pair: Pair, dev: List[Translations], test: List[Translations]
) -> Dict[str, Dict]:
    """Sample a pair's training sentences and write all its splits; return their counts."""
    used = {language: {content[language] for content in dev + test} for language in pair}
    [language] = [language for language in pair if language != corpus.pivot]
    lines = corpus.train_lines_of.get(language, corpus.train_lines)
    train = _sample(corpus, _sentences(corpus), pair_name(pair), lines, used)
    splits = {"train": train, "dev": dev, "test": test}
    return {split: _write(root, pair, split, contents) for split, contents in splits.items()}


def _write(
    root: Path, pair: Pair, split: str, contents: List[Translations], part: str = SUPERVISED
) -> Dict[str, Any]:
    sentences = ((content[pair[0]], content[pair[1]]) for content in contents)
    lines = write_pair(root, pair, split, sentences, part)
    return asdict(SplitCounts(lines, lines, {}))


def _sentences(corpus: CldrCorpus) -> Sentences:
    """Return the sentences of a config.

    The last config's are cached, since choosing the words that all languages have takes a while.
    """
    return _sentences_of(json.dumps(asdict(corpus)))


@lru_cache(maxsize=1)
def _sentences_of(config_as_json: str) -> Sentences:
    corpus = CldrCorpus(**json.loads(config_as_json))
    return Sentences(Phrasebook(corpus.all_languages(), corpus), list(dict.fromkeys(corpus.kinds)))


def _sample(
    corpus: CldrCorpus, sentences: Sentences, name: str, lines: int, used: Dict[str, Set[str]]
) -> List[Translations]:
    """Sample contents whose sentences are new in every language, kinds in equal parts.

    Args:
        corpus: Has the seed.
        sentences: The contents to sample from.
        name: Varies the sample.
        lines: The number of contents.
        used: By language, the sentences that may not be sampled.

    Raises:
        DataError: There are too few contents.
    """
    reserved = max(len(texts) for texts in used.values())
    used = {language: set(texts) for language, texts in used.items()}
    sample: List[Translations] = []
    for kind, number in sentences.shuffled(f"{corpus.seed}/{name}"):
        content = {language: sentences.render(language, kind, number) for language in used}
        if any(content[language] in used[language] for language in used):
            continue
        for language in used:
            used[language].add(content[language])
        sample.append(content)
        if len(sample) == lines:
            random.Random(f"{corpus.seed}/{name}/order").shuffle(sample)
            return sample
    raise _too_small(corpus, len(sample) + reserved)


def _too_small(corpus: CldrCorpus, available: int) -> DataError:
    lines = f"{corpus.max_train_lines()} + {corpus.dev_lines} + {corpus.test_lines}"
    return DataError(
        f"corpus.train_lines (the most of any pair), dev_lines and test_lines are {lines} per "
        f"pair, but the inventory yields only {available} distinct sentences; ask for less, or "
        "raise corpus.countries, max_number, years or the number of kinds"
    )
