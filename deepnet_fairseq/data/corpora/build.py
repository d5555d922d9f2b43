"""From files to a corpus: training text is cleaned of all dev and test sentences, pair by pair.

Every kind of corpus except cldr names its files as `SplitFiles`; what follows is the same for all.
"""

import logging
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Dict, Iterable, Iterator, List, Mapping, Sequence, Set, Tuple

from deepnet_fairseq.data.bitext import SUPERVISED, Files, read_bitext
from deepnet_fairseq.data.cleaning import clean_pair
from deepnet_fairseq.data.contamination import ContaminationIndex
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.data.filters import CleaningConfig, Filter, make_filters
from deepnet_fairseq.data.normalize import normalize_spaces
from deepnet_fairseq.data.stages import JOURNAL_NAME
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines
from deepnet_fairseq.languages import Pair, pair_name
from deepnet_fairseq.parallel import Jobs

logger = logging.getLogger(__name__)

# Part and pair, such as supervised/de-en -> split -> a SplitCounts as a dict
Counts = Dict[str, Dict[str, Dict]]


@dataclass(frozen=True)
class BuildContext:
    """What building a corpus needs besides its config."""

    downloads: Downloads
    cleaning: CleaningConfig
    jobs: Jobs


@dataclass(frozen=True)
class SplitFiles:
    """One split of a pair: line n of one language's files translates line n of the other's."""

    pair: Pair
    part: str  # of the corpus: SUPERVISED, ZERO_SHOT, or that of a further test set
    split: str  # train, dev or test
    files: Files  # plain or .gz

    @property
    def name(self) -> str:
        """The pair's name in journals, counts and errors, such as supervised/de-en."""
        return f"{self.part}/{pair_name(self.pair)}"


def build_parts(root: Path, splits: Sequence[SplitFiles], context: BuildContext) -> Counts:
    """Clean all splits into the corpus folder, pairs in parallel; return the counts.

    Raises:
        DataError: Files are malformed or differ in length, or a pair has no training or dev text
            left.
    """
    index = index_test_sets(splits, context.cleaning)
    pairs: Dict[str, List[SplitFiles]] = {}
    for split in splits:
        pairs.setdefault(split.name, []).append(split)
    arguments = {
        name: (root, group, context.cleaning, index.restricted_to(group[0].pair))
        for name, group in pairs.items()
    }
    return context.jobs.run(clean_splits, arguments, "cleaning", root / JOURNAL_NAME)


def index_test_sets(splits: Sequence[SplitFiles], cleaning: CleaningConfig) -> ContaminationIndex:
    """Return the sentences of all dev and test sets; none if the cleaning does not drop them."""
    index = ContaminationIndex()
    if not cleaning.drop_held_out:
        return index
    # Many pairs may be tested on the same file of a language.
    done: Set[Tuple[str, str, Path]] = set()
    for split in splits:
        for language in split.pair if split.split != "train" else ():
            for path in map(Path, split.files[language]):
                if (language, split.split, path) not in done:
                    done.add((language, split.split, path))
                    index.add(language, read_lines(path), split.split)
    for language in sorted({language for split in splits for language in split.pair}):
        dev, test = index.count(language)
        logger.debug("%s: %d dev and %d test sentences are held out", language, dev, test)
    return index


def clean_splits(
    root: Path, splits: Sequence[SplitFiles], cleaning: CleaningConfig, index: ContaminationIndex
) -> Dict[str, Dict]:
    """Clean all splits of one pair; return their counts by split."""
    cleaning.check_packages()
    results = {}
    for split in splits:
        sentences = read_bitext(split.pair, split.files)
        counts = clean_pair(sentences, root, split.pair, split.split, cleaning, index, split.part)
        if not counts.kept and (split.part == SUPERVISED or not counts.read):
            raise DataError(
                f"{split.name} {split.split}: no sentences are left of {counts.read}; {counts}"
            )
        results[split.split] = asdict(counts)
    return results


def split_off_validation(
    pair: Pair,
    files: Mapping[str, Sequence[Path]],
    folder: Path,
    every: int,
    cleaning: CleaningConfig,
    count_all: bool,
) -> Tuple[Files, Files]:
    """Take every nth pair of a training text as validation text.

    Only pairs within the cleaning's length limits become validation text. The others stay with the
    training text, where cleaning drops and counts them.

    Args:
        pair: The two languages.
        files: The training text.
        folder: Where both texts are written.
        every: n.
        cleaning: Has the length limits.
        count_all: Whether every nth of all pairs is taken, provided that it is within the limits,
            or every nth of those within the limits.

    Returns:
        The files of the remaining training text and of the validation text.

    Raises:
        DataError: The two sides differ in length.
    """
    # No other filter: dev sets are cleaned of test sentences later, and languages identified once.
    limits = replace(cleaning, drop_identical=False, drop_held_out=False, identify_languages=False)
    filters = make_filters(pair, "train", limits, ContaminationIndex(), notes=[])
    folder.mkdir(parents=True, exist_ok=True)
    train, dev = (
        {language: [folder / f"{split}.{language}"] for language in pair}
        for split in ("train", "dev")
    )
    read = taken = 0
    with ExitStack() as stack:
        train_streams, dev_streams = (
            [stack.enter_context(_open(side[language][0])) for language in pair]
            for side in (train, dev)
        )
        sentences = _mark_validation(read_bitext(pair, files), filters, every, count_all)
        for left, right, is_validation in sentences:
            read += 1
            taken += is_validation
            streams = dev_streams if is_validation else train_streams
            streams[0].write(f"{left}\n")
            streams[1].write(f"{right}\n")
    logger.info("%s: %d pairs of %d become validation text", pair_name(pair), taken, read)
    return train, dev


def _mark_validation(
    sentences: Iterable[Tuple[str, str]], filters: Sequence[Filter], every: int, count_all: bool
) -> Iterator[Tuple[str, str, bool]]:
    """Yield both sides with normalized spaces, and whether the pair becomes validation text."""
    within_limits = 0
    for number, pair in enumerate(sentences, start=1):
        left, right = map(normalize_spaces, pair)
        # If all pairs are counted, only every nth has to be checked.
        is_candidate = not count_all or number % every == 0
        passes = is_candidate and not any(drops([left], [right])[0] for _, drops in filters)
        within_limits += passes
        is_nth = (number if count_all else within_limits) % every == 0
        yield left, right, passes and is_nth


def _open(path: Path) -> IO[str]:
    return open(path, "w", encoding="utf-8", newline="\n")
