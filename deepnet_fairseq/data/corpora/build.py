"""A corpus put together from files: training text cleaned of what stands in any dev or test set, pair by pair.

What every kind of corpus that reads files ends in: it says which files hold what, and this does the rest.
"""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Set, Tuple

from deepnet_fairseq.data.bitext import Files, aligned_sentences
from deepnet_fairseq.data.cleaning import CleaningConfig, clean_pair
from deepnet_fairseq.data.contamination import HeldOut
from deepnet_fairseq.data.corpora.inputs import Counts, Inputs
from deepnet_fairseq.data.corpus_paths import SUPERVISED
from deepnet_fairseq.data.stages import JOURNAL_NAME
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import read_lines
from deepnet_fairseq.languages import Pair, pair_name

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """The files of one split of a pair: plain or .gz, line n of one language translating line n of the other."""

    pair: Pair
    part: str  # of the corpus: SUPERVISED, ZERO_SHOT, or that of a further test set
    split: str  # train, dev or test
    files: Files

    @property
    def name(self) -> str:
        """What its pair is called in ledgers, counts and errors, such as supervised/de-en."""
        return f"{self.part}/{pair_name(self.pair)}"


def build_parts(root: Path, sources: Sequence[Source], inputs: Inputs) -> Counts:
    """Clean every source into the corpus folder root, pairs in parallel; return the counts by part and pair.

    Raises DataError for unequal or malformed files, and for a pair that is left without training or dev text.
    """
    held_out = read_held_out(sources, inputs.cleaning)
    groups: Dict[str, List[Source]] = {}
    for source in sources:
        groups.setdefault(source.name, []).append(source)
    jobs = {
        name: (root, group, inputs.cleaning, held_out.restricted_to(group[0].pair))
        for name, group in groups.items()
    }
    return inputs.jobs.run(clean_sources, jobs, "cleaning", root / JOURNAL_NAME)


def read_held_out(sources: Sequence[Source], cleaning: CleaningConfig) -> HeldOut:
    """The sentences of all dev and test sets, or none if the cleaning does not ask for them."""
    held_out = HeldOut()
    if not cleaning.drop_held_out:
        return held_out
    read: Set[Tuple[str, str, Path]] = (
        set()
    )  # many pairs may be tested on the same file of a language
    for source in sources:
        for language in source.pair if source.split != "train" else ():
            for path in source.files[language]:
                key = (language, source.split, Path(path))
                if key not in read:
                    read.add(key)
                    held_out.add_all(language, read_lines(Path(path)), source.split)
    for language in sorted({language for source in sources for language in source.pair}):
        logger.debug(
            "%s: %d dev and %d test sentences are held out", language, *held_out.count(language)
        )
    return held_out


def clean_sources(
    root: Path, sources: Sequence[Source], cleaning: CleaningConfig, held_out: HeldOut
) -> Dict[str, Dict]:
    """Clean all splits of one pair; return their counts by split."""
    cleaning.check_packages()
    counts = {}
    for source in sources:
        sentences = aligned_sentences(source.pair, source.files)
        found = clean_pair(
            sentences, root, source.pair, source.split, cleaning, held_out, source.part
        )
        if not found.kept and (source.part == SUPERVISED or not found.read):
            raise DataError(
                f"{source.name} {source.split}: no sentences are left of {found.read}; {found}"
            )
        counts[source.split] = asdict(found)
    return counts
