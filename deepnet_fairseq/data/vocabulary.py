"""One SentencePiece vocabulary for all languages, trained on a temperature-balanced sample, and its fairseq dictionary.

Language l with n_l training lines gets a share of n_l^(1/T) / sum_k n_k^(1/T) of the sample. When its share is more than it has, its lines
are repeated: capping the share instead would leave low-resource languages with too few pieces however high T is.
"""

import io
import logging
import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Sequence

import sentencepiece
from fairseq.data import Dictionary

from deepnet_fairseq.data.layout import DataError, Pair, corpus_file, count_lines, normalise_spaces, read_lines

logger = logging.getLogger(__name__)

MODEL_NAME = "spm.model"
DICTIONARY_NAME = "dict.txt"
# The four pieces that fairseq's Dictionary puts first by itself; with these ids, a piece's id is the same in both.
SPECIAL_IDS = {"bos_id": 0, "pad_id": 1, "eos_id": 2, "unk_id": 3}
# The result depends on the number of threads (sums in another order), so it must not follow the machine's.
TRAINER_THREADS = 2
MODEL_TYPES = ("unigram", "bpe")


@dataclass
class VocabularyConfig:
    """What `vocabulary:` holds."""

    size: int = 8000  # pieces, the four special ones included
    model_type: str = "unigram"  # or bpe
    character_coverage: float = 1.0  # share of the sample's characters that get a piece of their own
    split_digits: bool = True  # each digit a piece of its own: numbers are composed, not remembered
    byte_fallback: bool = False  # spell characters without a piece in 256 byte pieces instead of <unk>
    sampling_temperature: float = 5.0  # 1 = languages as frequent as they are, larger = more even
    sample_lines: int = 1000000  # lines of all languages together that the trainer sees; no more than the corpus has
    seed: int = 1

    def __post_init__(self) -> None:
        if self.model_type not in MODEL_TYPES:
            raise DataError(f"model_type is {self.model_type!r}; choose one of {', '.join(MODEL_TYPES)}")
        if self.sampling_temperature < 1:
            raise DataError(f"sampling_temperature is {self.sampling_temperature}; it must be at least 1, which means no balancing")
        if not 0 < self.character_coverage <= 1:
            raise DataError(f"character_coverage is {self.character_coverage}; it must lie above 0 and be at most 1")
        for name in ("size", "sample_lines"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} is {getattr(self, name)}; it must be at least 1")


def sample_sizes(lines: Mapping[str, int], temperature: float, total: int) -> Dict[str, int]:
    """Lines of each language in a sample of `total`, in proportion to lines^(1/temperature), rounded so that they add up."""
    weights = {language: count ** (1 / temperature) for language, count in sorted(lines.items())}
    exact = {language: total * weight / sum(weights.values()) for language, weight in weights.items()}
    sizes = {language: int(size) for language, size in exact.items()}
    by_remainder = sorted(exact, key=lambda language: (sizes[language] - exact[language], language))
    for language in by_remainder[: total - sum(sizes.values())]:
        sizes[language] += 1
    return sizes


def training_files(corpus_root: Path, pairs: Sequence[Pair]) -> Dict[str, List[Path]]:
    """The files with training sentences of each language."""
    files: Dict[str, List[Path]] = {}
    for pair in pairs:
        for language in pair:
            files.setdefault(language, []).append(corpus_file(corpus_root, pair, "train", language))
    return dict(sorted(files.items()))


def balanced_sample(corpus_root: Path, pairs: Sequence[Pair], config: VocabularyConfig) -> Iterator[str]:
    """The sentences that the vocabulary is trained on, language by language; the same for the same corpus and config.

    A language that must give more lines than it has gives each as often as goes, and a random part once more.
    """
    files = training_files(corpus_root, pairs)
    lines = {language: sum(count_lines(path) for path in paths) for language, paths in files.items()}
    empty = [language for language, count in lines.items() if count == 0]
    if empty or not lines:
        raise DataError(f"no training sentences in {', '.join(empty) or 'any language'}; the vocabulary needs some of every language")
    total = min(config.sample_lines, sum(lines.values()))
    for language, wanted in sample_sizes(lines, config.sampling_temperature, total).items():
        logger.info("vocabulary sample: %d lines of %s, which has %d", wanted, language, lines[language])
        rounds, rest = divmod(wanted, lines[language])
        once_more = Counter(random.Random(f"{config.seed}/{language}").sample(range(lines[language]), rest))
        number = 0
        for path in files[language]:
            for line in read_lines(path):
                yield from [normalise_spaces(line)] * (rounds + once_more[number])
                number += 1


def train_vocabulary(config: VocabularyConfig, corpus_root: Path, pairs: Sequence[Pair], directory: Path) -> None:
    """Train on the training side of the supervised pairs; write spm.model and dict.txt into the directory.

    Raises DataError if the text yields fewer pieces than config.size, or config.size is too small for its characters.
    """
    directory.mkdir(parents=True, exist_ok=True)
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=balanced_sample(corpus_root, pairs, config),
            # A model_prefix would be stored in the model, which then differed from folder to folder.
            model_writer=model,
            vocab_size=config.size,
            model_type=config.model_type,
            character_coverage=config.character_coverage,
            split_digits=config.split_digits,
            byte_fallback=config.byte_fallback,
            # References aren't normalised either, so the model must be able to produce what they hold.
            normalization_rule_name="identity",
            num_threads=TRAINER_THREADS,
            # Only errors: progress goes to the native stderr, hundreds of lines of it.
            minloglevel=2,
            **SPECIAL_IDS,
        )
    except (RuntimeError, OSError) as error:
        raise _explain(error, config) from error
    (directory / MODEL_NAME).write_bytes(model.getvalue())
    write_dictionary(directory)


def _explain(error: Exception, config: VocabularyConfig) -> DataError:
    """sentencepiece's complaint about the size in terms of the config."""
    too_large = re.search(r"Vocabulary size too high.*?<= (\d+)", str(error))
    if too_large:
        return DataError(f"vocabulary.size is {config.size}, but the text yields at most {too_large[1]} pieces; lower it to that or less")
    too_small = re.search(r"Vocabulary size is smaller than required_chars\. \d+ vs (\d+)", str(error))
    if too_small:
        return DataError(
            f"vocabulary.size is {config.size}, but the characters and special pieces alone need {too_small[1]}; raise it, or lower "
            "vocabulary.character_coverage"
        )
    return DataError(f"sentencepiece could not train the vocabulary: {error}")


def load_model(directory: Path) -> sentencepiece.SentencePieceProcessor:
    """The vocabulary's model. Raises DataError if there is none."""
    path = directory / MODEL_NAME
    if not path.is_file():
        raise DataError(f"{path} is missing; run scripts/prepare.sh first")
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def write_dictionary(directory: Path) -> None:
    """Write the model's pieces as fairseq's dict.txt, without the four that fairseq's Dictionary adds by itself."""
    model = load_model(directory)
    dictionary = Dictionary()
    for piece_id in range(dictionary.nspecial, model.get_piece_size()):
        added = dictionary.add_symbol(model.id_to_piece(piece_id))
        if added != piece_id:
            raise DataError(f"piece {model.id_to_piece(piece_id)!r} has id {piece_id} in {MODEL_NAME} but {added} in fairseq's dictionary")
    dictionary.save(str(directory / DICTIONARY_NAME))
