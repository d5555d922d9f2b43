"""One SentencePiece vocabulary for all languages, trained on a temperature-balanced sample, and its fairseq dictionary.

Language l with n_l training lines gets a share of n_l^(1/T) / sum_k n_k^(1/T) of the sample. When its share is more than it has, its lines
are repeated: capping the share instead would leave low-resource languages with too few pieces however high T is.
"""

import io
import logging
import random
import re
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

import sentencepiece
from fairseq.data import Dictionary

from deepnet_fairseq.data.corpus_paths import corpus_file
from deepnet_fairseq.data.manifest import file_record
from deepnet_fairseq.data.normalize import normalize_spaces
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import count_lines, read_lines
from deepnet_fairseq.languages import Pair

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
    character_coverage: float = (
        1.0  # share of the sample's characters that get a piece of their own
    )
    split_digits: bool = True  # each digit a piece of its own: numbers are composed, not remembered
    byte_fallback: bool = (
        False  # spell characters without a piece in 256 byte pieces instead of <unk>
    )
    sampling_temperature: float = 5.0  # 1 = languages as frequent as they are, larger = more even
    sample_lines: int = 1000000  # lines of all languages together that the trainer sees; no more than the corpus has
    hard_limit: bool = True  # false: take fewer pieces than size where the text yields no more
    language_tags: bool = False  # a piece for each language's tag, __de__: fairseq adds them itself, but behind the others
    model: Optional[str] = (
        None  # a SentencePiece model that is there already; everything above, but language_tags, is then its own
    )
    seed: int = 1

    def __post_init__(self) -> None:
        if self.model_type not in MODEL_TYPES:
            raise DataError(
                f"model_type is {self.model_type!r}; choose one of {', '.join(MODEL_TYPES)}"
            )
        if self.sampling_temperature < 1:
            raise DataError(
                f"sampling_temperature is {self.sampling_temperature}; it must be at least 1, which means no balancing"
            )
        if not 0 < self.character_coverage <= 1:
            raise DataError(
                f"character_coverage is {self.character_coverage}; it must lie above 0 and be at most 1"
            )
        for name in ("size", "sample_lines"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.model is not None and self.language_tags:
            raise DataError(
                "language_tags is true, but pieces cannot be added to a given model; fairseq adds the tags itself"
            )

    def resolve_paths(self, folder: Path) -> None:
        """Take a relative path of a model as relative to the folder, which is the config file's."""
        if self.model is not None:
            self.model = str((Path(folder) / self.model).resolve())

    def fingerprint(self) -> Dict[str, Any]:
        """What the vocabulary depends on beside the corpus. Raises DataError for a missing model."""
        if self.model is None:
            return asdict(self)
        if not Path(self.model).is_file():
            raise DataError(f"vocabulary.model: there is no file {self.model}")
        return {"model": self.model, "sha256": file_record(Path(self.model))["sha256"]}


def language_tag(language: str) -> str:
    """fairseq's tag of a language (--lang-tok-style multilingual)."""
    return f"__{language}__"


def sample_sizes(lines: Mapping[str, int], temperature: float, total: int) -> Dict[str, int]:
    """Lines of each language in a sample of `total`, in proportion to lines^(1/temperature), rounded so that they add up."""
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
    """The files with training sentences of each language."""
    files: Dict[str, List[Path]] = {}
    for pair in pairs:
        for language in pair:
            files.setdefault(language, []).append(corpus_file(corpus_root, pair, "train", language))
    return dict(sorted(files.items()))


def balanced_sample(
    corpus_root: Path, pairs: Sequence[Pair], config: VocabularyConfig
) -> Iterator[str]:
    """The sentences that the vocabulary is trained on, language by language; the same for the same corpus and config.

    A language that must give more lines than it has gives each as often as goes, and a random part once more.
    """
    files = training_files(corpus_root, pairs)
    lines = {
        language: sum(count_lines(path) for path in paths) for language, paths in files.items()
    }
    empty = [language for language, count in lines.items() if count == 0]
    if empty or not lines:
        raise DataError(
            f"no training sentences in {', '.join(empty) or 'any language'}; the vocabulary needs some of every language"
        )
    total = min(config.sample_lines, sum(lines.values()))
    for language, wanted in sample_sizes(lines, config.sampling_temperature, total).items():
        logger.info(
            "vocabulary sample: %d lines of %s, which has %d", wanted, language, lines[language]
        )
        rounds, rest = divmod(wanted, lines[language])
        once_more = Counter(
            random.Random(f"{config.seed}/{language}").sample(range(lines[language]), rest)
        )
        number = 0
        for path in files[language]:
            for line in read_lines(path):
                if times := rounds + once_more[number]:
                    yield from [normalize_spaces(line)] * times
                number += 1


def train_vocabulary(
    config: VocabularyConfig,
    corpus_root: Path,
    pairs: Sequence[Pair],
    directory: Path,
    languages: Sequence[str] = (),
) -> Dict[str, Any]:
    """Train on the training side of the supervised pairs, or take the given model; write spm.model and dict.txt into the directory.

    Args: languages: those that get a tag, if the config asks for tags.

    Returns what came of it: the number of pieces. Raises DataError if the text yields fewer pieces than config.size (with a hard limit), or
    config.size is too small for its characters, and for a given model that fairseq cannot work with.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if config.model is None:
        (directory / MODEL_NAME).write_bytes(_train(config, corpus_root, pairs, languages))
    else:
        shutil.copyfile(config.model, directory / MODEL_NAME)
    write_dictionary(directory)
    return {"pieces": load_model(directory).get_piece_size()}


def _train(
    config: VocabularyConfig, corpus_root: Path, pairs: Sequence[Pair], languages: Sequence[str]
) -> bytes:
    """The serialised model."""
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=balanced_sample(corpus_root, pairs, config),
            # A model_prefix would be stored in the model, which then differed from folder to folder.
            model_writer=model,
            vocab_size=config.size,
            hard_vocab_limit=config.hard_limit,
            model_type=config.model_type,
            character_coverage=config.character_coverage,
            split_digits=config.split_digits,
            byte_fallback=config.byte_fallback,
            # Control symbols have ids, but text that looks like one is never encoded as one.
            control_symbols=[language_tag(language) for language in languages]
            if config.language_tags
            else [],
            # References aren't normalised either, so the model must be able to produce what they hold.
            normalization_rule_name="identity",
            num_threads=TRAINER_THREADS,
            # Only errors: progress goes to the native stderr, hundreds of lines of it.
            minloglevel=2,
            **SPECIAL_IDS,
        )
    except (RuntimeError, OSError) as error:
        raise _explain(error, config) from error
    return model.getvalue()


def _explain(error: Exception, config: VocabularyConfig) -> DataError:
    """sentencepiece's complaint about the size in terms of the config."""
    too_large = re.search(r"Vocabulary size too high.*?<= (\d+)", str(error))
    if too_large:
        return DataError(
            f"vocabulary.size is {config.size}, but the text yields at most {too_large[1]} pieces; lower it to that or less"
        )
    too_small = re.search(
        r"Vocabulary size is smaller than required_chars\. \d+ vs (\d+)", str(error)
    )
    if too_small:
        return DataError(
            f"vocabulary.size is {config.size}, but the characters and special pieces alone need {too_small[1]}; raise it, or lower "
            "vocabulary.character_coverage"
        )
    return DataError(f"sentencepiece could not train the vocabulary: {error}")


def load_model(directory: Path) -> sentencepiece.SentencePieceProcessor:
    """The vocabulary's model. Raises DataError if there is none, or what is there is none."""
    path = directory / MODEL_NAME
    if not path.is_file():
        raise DataError(f"{path} is missing; run scripts/prepare.sh first")
    try:
        return sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"{path} is not a SentencePiece model: {str(error).splitlines()[0]}"
        ) from error


def load_dictionary(directory: Path) -> Dictionary:
    """The vocabulary as fairseq's dictionary."""
    return Dictionary.load(str(directory / DICTIONARY_NAME))


def write_dictionary(directory: Path) -> None:
    """Write the model's pieces as fairseq's dict.txt, in the model's order, without the four that fairseq's Dictionary adds by itself.

    A model trained here has the same ids in both; a given one may have its special pieces elsewhere. Raises DataError for a given model
    without an end of sentence, or with a piece that fairseq cannot read back.
    """
    model = load_model(directory)
    if model.eos_id() < 0:
        raise DataError(
            f"{MODEL_NAME}: has no piece for the end of a sentence; train it with eos_id=2, or any other but -1"
        )
    dictionary = Dictionary()
    special = {*dictionary.symbols}
    for piece_id in range(model.get_piece_size()):
        piece = model.id_to_piece(piece_id)
        if model.is_unknown(piece_id) or piece in special:
            continue
        if piece != "".join(piece.split()) or not piece:
            raise DataError(
                f"{MODEL_NAME}: piece {piece_id}, {piece!r}, has white space in it, at which fairseq would split it"
            )
        dictionary.add_symbol(piece)
    dictionary.save(str(directory / DICTIONARY_NAME))
