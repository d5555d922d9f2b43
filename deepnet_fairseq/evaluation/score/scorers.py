"""sacrebleu's scorers as the metrics need them: BLEU with several tokenizers, spBLEU offline."""

from functools import cache
from pathlib import Path

from sacrebleu import utils
from sacrebleu.metrics import BLEU
from sacrebleu.tokenizers.tokenizer_spm import SPM_MODELS, TokenizerSPM
from sentencepiece import SentencePieceProcessor

from deepnet_fairseq.data.language_identification import base_language

# The paper's OPUS-100 figures use it for every target language, Chinese and Japanese included.
PAPERS_TOKENIZER = "13a"
# sacrebleu chooses tokenizers by two-letter codes.
TWO_LETTERS = {"zho": "zh", "chi": "zh", "cmn": "zh", "jpn": "ja", "kor": "ko"}
FLORES200 = SPM_MODELS["flores200"]
# Of the published model (4,852,054 bytes), as its copies on the Hugging Face hub state it
# (flores200_sacrebleu_tokenizer_spm.model).
FLORES200_SHA256 = "14bb8dfb35c0ffdea7bc01e56cea38b9e3d5efcdcb9c251d6b40538e1aab555a"


# Scorers are shared, so that a sentence is tokenized once for all that is measured with it. force:
# no warnings about text that looks tokenized, as some of OPUS-100's does.
@cache
def papers_bleu() -> BLEU:
    """Return sacrebleu's BLEU as the paper uses it."""
    return BLEU(tokenize=PAPERS_TOKENIZER, force=True)


@cache
def language_bleu(language: str) -> BLEU:
    """Return sacrebleu's BLEU for a language; it is `papers_bleu()` if the tokenizer is 13a.

    Args:
        language: Its code with two letters.

    Raises:
        ImportError: MeCab is not installed.
        RuntimeError, AssertionError: MeCab is broken, or has other dictionaries.
    """
    scorer = BLEU(trg_lang=language, force=True)
    return papers_bleu() if scorer.tokenizer_signature == PAPERS_TOKENIZER else scorer


def two_letters(target: str) -> str:
    """Return a target language's code as sacrebleu writes it, without region or script."""
    language = base_language(target)
    return TWO_LETTERS.get(language, language)


@cache
def spbleu(model: Path) -> BLEU:
    """Return sacrebleu's BLEU with a SentencePiece model, loaded once per process.

    Raises:
        OSError, RuntimeError: The file is not a model.
    """
    scorer = BLEU(force=True)
    scorer.tokenizer = LocalTokenizer(model)
    scorer.tokenizer_signature = scorer.tokenizer.signature()
    return scorer


class LocalTokenizer(TokenizerSPM):
    """sacrebleu's tokenizer flores200 with a given model; its own constructor may download one."""

    def __init__(self, model: Path) -> None:
        self.name = FLORES200["signature"]
        self.sp = SentencePieceProcessor(model_file=str(model))


def flores200_path(named: str) -> Path:
    """Return the named model or, for "", the place where sacrebleu keeps it, if it is there."""
    default = Path(utils.SACREBLEU_DIR, "models", Path(FLORES200["url"]).name)
    return Path(named) if named else default


def flores200_problem(model: Path) -> str:
    """Return why a model cannot be used and how to get it, in one line, or ""."""
    # Reports are shown to others, so they do not name a home folder.
    place = str(model).replace(str(Path.home()), "~", 1)
    get = f"get it with: curl -L --create-dirs -o {place} {FLORES200['url']}"
    if not model.is_file():
        return f"the SentencePiece model {place} is not there; {get}"
    try:
        spbleu(model)
    except (OSError, RuntimeError):
        return f"{place} is not a SentencePiece model; {get}"
    return ""
