"""One SentencePiece vocabulary for all languages, and its fairseq dictionary."""

import io
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import sentencepiece
from fairseq.data import Dictionary

from deepnet_fairseq.data.vocabulary_sample import balanced_sample
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import sha256_of
from deepnet_fairseq.languages import Pair

MODEL_NAME = "spm.model"
DICTIONARY_NAME = "dict.txt"
# The four pieces that fairseq's Dictionary puts first by itself; with these ids, a piece has one id
# in both.
SPECIAL_IDS = {"bos_id": 0, "pad_id": 1, "eos_id": 2, "unk_id": 3}
# The result depends on the number of threads (the order of sums), so it must not be the machine's.
TRAINER_THREADS = 2
MODEL_TYPES = ("unigram", "bpe")


@dataclass
class VocabularyConfig:
    """What `vocabulary:` holds."""

    size: int = 8000  # pieces, the four special ones included
    model_type: str = "unigram"  # or bpe
    character_coverage: float = 1.0  # share of the sample's characters that become pieces
    split_digits: bool = True  # each digit is a piece: numbers are composed, not memorized
    # Spell characters without a piece in 256 byte pieces instead of <unk>
    byte_fallback: bool = False
    sampling_temperature: float = (
        5.0  # 1 = languages in proportion to their text, larger = more even
    )
    sample_lines: int = 1000000  # lines of all languages that the trainer sees; at most all
    hard_limit: bool = True  # false: take fewer pieces than size if the text yields no more
    # A piece per language tag, __de__; fairseq adds them itself, but after the others
    language_tags: bool = False
    # An existing SentencePiece model; it decides everything above except language_tags
    model: Optional[str] = None
    seed: int = 1

    def __post_init__(self) -> None:
        if self.model_type not in MODEL_TYPES:
            choices = ", ".join(MODEL_TYPES)
            raise DataError(f"model_type is {self.model_type!r}; choose one of {choices}")
        if self.sampling_temperature < 1:
            raise DataError(
                f"sampling_temperature is {self.sampling_temperature}; "
                "it must be at least 1, which means no balancing"
            )
        if not 0 < self.character_coverage <= 1:
            raise DataError(
                f"character_coverage is {self.character_coverage}; it must be above 0 and at most 1"
            )
        for name in ("size", "sample_lines"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.model is not None and self.language_tags:
            raise DataError(
                "language_tags is true, but pieces cannot be added to a given model; "
                "fairseq adds the tags itself"
            )

    def resolve_paths(self, folder: Path) -> None:
        """Make a relative path of a model relative to the config's folder."""
        if self.model is not None:
            self.model = str((Path(folder) / self.model).resolve())

    def fingerprint(self) -> Dict[str, Any]:
        """Return what the vocabulary depends on besides the corpus.

        Raises:
            DataError: The given model is missing.
        """
        if self.model is None:
            return asdict(self)
        if not Path(self.model).is_file():
            raise DataError(f"vocabulary.model: there is no file {self.model}")
        return {"model": self.model, "sha256": sha256_of(Path(self.model))}


def language_tag(language: str) -> str:
    """Return fairseq's tag of a language (--lang-tok-style multilingual)."""
    return f"__{language}__"


def train_vocabulary(
    config: VocabularyConfig,
    corpus_root: Path,
    pairs: Sequence[Pair],
    directory: Path,
    languages: Sequence[str] = (),
) -> Dict[str, Any]:
    """Write spm.model and dict.txt, trained on the supervised pairs or from the given model.

    Args:
        config: The vocabulary's config.
        corpus_root: The corpus folder.
        pairs: The supervised pairs.
        directory: Where the files go.
        languages: Those that get a tag, if the config asks for tags.

    Returns:
        The number of pieces, as `pieces`.

    Raises:
        DataError: The text yields fewer pieces than config.size (with a hard limit), config.size
            is too small for its characters, or fairseq cannot work with the given model.
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
    """Return the trained model, serialized."""
    sample = balanced_sample(
        corpus_root, pairs, config.sample_lines, config.sampling_temperature, config.seed
    )
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=sample,
            # A model_prefix would be stored in the model, which would then depend on the folder.
            model_writer=model,
            vocab_size=config.size,
            hard_vocab_limit=config.hard_limit,
            model_type=config.model_type,
            character_coverage=config.character_coverage,
            split_digits=config.split_digits,
            byte_fallback=config.byte_fallback,
            # Control symbols have ids, but text that looks like one is never encoded as one.
            control_symbols=list(map(language_tag, languages)) if config.language_tags else [],
            # References are not normalized, so the model must be able to produce what they have.
            normalization_rule_name="identity",
            num_threads=TRAINER_THREADS,
            # Only errors: progress would be hundreds of lines on the native stderr.
            minloglevel=2,
            **SPECIAL_IDS,
        )
    except (RuntimeError, OSError) as error:
        raise _explain(error, config) from error
    return model.getvalue()


def _explain(error: Exception, config: VocabularyConfig) -> DataError:
    """Return sentencepiece's complaint about the size in terms of the config."""
    too_large = re.search(r"Vocabulary size too high.*?<= (\d+)", str(error))
    if too_large:
        return DataError(
            f"vocabulary.size is {config.size}, but the text yields at most {too_large[1]} pieces; "
            "lower it to that or less"
        )
    too_small = re.search(
        r"Vocabulary size is smaller than required_chars\. \d+ vs (\d+)", str(error)
    )
    if too_small:
        return DataError(
            f"vocabulary.size is {config.size}, but the characters and special pieces alone need "
            f"{too_small[1]}; raise it, or lower vocabulary.character_coverage"
        )
    return DataError(f"sentencepiece could not train the vocabulary: {error}")


def load_model(directory: Path) -> sentencepiece.SentencePieceProcessor:
    """Return the vocabulary's model. Raise DataError if it is missing or not a model."""
    path = directory / MODEL_NAME
    if not path.is_file():
        raise DataError(f"{path} is missing; run scripts/prepare.sh first")
    try:
        return sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} is not a SentencePiece model: {reason}") from error


def load_dictionary(directory: Path) -> Dictionary:
    """Return the vocabulary as fairseq's dictionary."""
    return Dictionary.load(str(directory / DICTIONARY_NAME))


def write_dictionary(directory: Path) -> None:
    """Write the model's pieces as fairseq's dict.txt, in the model's order.

    The four pieces that fairseq's Dictionary adds by itself are left out. A model trained here has
    the same ids in both; a given one may have its special pieces elsewhere.

    Raises:
        DataError: A given model has no end of sentence, or a piece that fairseq cannot read.
    """
    model = load_model(directory)
    if model.eos_id() < 0:
        raise DataError(
            f"{MODEL_NAME}: has no piece for the end of a sentence; "
            "train it with eos_id=2, or any other but -1"
        )
    dictionary = Dictionary()
    special = set(dictionary.symbols)
    for piece_id in range(model.get_piece_size()):
        piece = model.id_to_piece(piece_id)
        if model.is_unknown(piece_id) or piece in special:
            continue
        if piece != "".join(piece.split()) or not piece:
            raise DataError(
                f"{MODEL_NAME}: piece {piece_id}, {piece!r}, has white space in it, "
                "at which fairseq would split it"
            )
        dictionary.add_symbol(piece)
    dictionary.save(str(directory / DICTIONARY_NAME))
