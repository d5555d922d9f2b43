"""The vocabulary's training text: a temperature-balanced sample of all languages.

Language l with n_l training lines gets a share of n_l^(1/T) / sum_k n_k^(1/T). If its share is more
than it has, its lines are repeated: capping the share instead would leave low-resource languages
with too few pieces however high T is.
"""

import logging
import random
from collections import Counter
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Sequence

from deepnet_fairseq.data.bitext import corpus_file
from deepnet_fairseq.data.normalize import normalize_spaces
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import count_lines, read_lines
from deepnet_fairseq.languages import Pair

logger = logging.getLogger(__name__)


def sample_sizes(lines: Mapping[str, int], temperature: float, total: int) -> Dict[str, int]:
    """Return how many of a sample's `total` lines each language gets.

    The numbers are proportional to lines^(1/temperature), and rounded so that they add up.
    """
    weights = {language: count ** (1 / temperature) for language, count in sorted(lines.items())}
    exact = {
        language: total * weight / sum(weights.values()) for language, weight in weights.items()
    }
    sizes = {language: int(size) for language, size in exact.items()}
    by_remainder = sorted(exact, key=lambda language: (sizes[language] - exact[language], language))
    for language in by_remainder[: total - sum(sizes.values())]:
        sizes[language] += 1
    return sizes


def training_files(corpus_root: Path, pairs: Sequence[Pair]) -> Dict[str, List[Path]]:
    """Return the files with training sentences of each language."""
    files: Dict[str, List[Path]] = {}
    for pair in pairs:
        for language in pair:
            files.setdefault(language, []).append(corpus_file(corpus_root, pair, "train", language))
    return dict(sorted(files.items()))


def balanced_sample(
    corpus_root: Path, pairs: Sequence[Pair], max_lines: int, temperature: float, seed: int
) -> Iterator[str]:
    """Yield the sentences that the vocabulary is trained on, language by language.

    A language whose share is larger than its text gives every line equally often, and a random
    part of them once more. The sample is the same for the same corpus and arguments.

    Args:
        corpus_root: The corpus folder.
        pairs: The pairs with training text.
        max_lines: Lines of all languages; at most as many as the corpus has.
        temperature: 1 = in proportion to the languages' lines, larger = more even.
        seed: Varies the sample.

    Raises:
        DataError: A language has no training text.
    """
    files = training_files(corpus_root, pairs)
    lines = {
        language: sum(count_lines(path) for path in paths) for language, paths in files.items()
    }
    empty = [language for language, count in lines.items() if count == 0]
    if empty or not lines:
        raise DataError(
            f"no training sentences in {', '.join(empty) or 'any language'}; "
            "the vocabulary needs some of every language"
        )
    total = min(max_lines, sum(lines.values()))
    for language, size in sample_sizes(lines, temperature, total).items():
        available = lines[language]
        logger.info("vocabulary sample: %d lines of %s, which has %d", size, language, available)
        rounds, rest = divmod(size, available)
        rng = random.Random(f"{seed}/{language}")
        once_more = Counter(rng.sample(range(available), rest))
        number = 0
        for path in files[language]:
            for line in read_lines(path):
                if times := rounds + once_more[number]:
                    yield from [normalize_spaces(line)] * times
                number += 1
