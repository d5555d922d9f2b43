"""spBLEU (NLLB Team 2022, arXiv 2207.04672): BLEU of SentencePiece pieces, the same for 200 languages, with a local copy of their model.

sacrebleu's own tokeniser flores200 downloads the model when it isn't there. Here it is only ever read from a file.
"""

import logging
from functools import cache
from pathlib import Path

from sacrebleu import utils
from sacrebleu.metrics import BLEU
from sacrebleu.tokenizers.tokenizer_spm import SPM_MODELS, TokenizerSPM
from sentencepiece import SentencePieceProcessor

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.io import sha256_of

logger = logging.getLogger(__name__)

TOKENIZER = "flores200"
URL = SPM_MODELS[TOKENIZER]["url"]
# Of the published model, 4,852,054 bytes, as copies of it on the Hugging Face hub state it (flores200_sacrebleu_tokenizer_spm.model).
SHA256 = "14bb8dfb35c0ffdea7bc01e56cea38b9e3d5efcdcb9c251d6b40538e1aab555a"


class LocalTokenizer(TokenizerSPM):
    """sacrebleu's tokeniser flores200 with a given model; only the constructor, which may download, is replaced."""

    def __init__(self, model: Path) -> None:
        self.name = SPM_MODELS[TOKENIZER]["signature"]
        self.sp = SentencePieceProcessor(model_file=str(model))


@cache
def spbleu(model: Path) -> BLEU:
    """sacrebleu's BLEU with that model, loaded once per process. Raises OSError or RuntimeError for a file that is no model."""
    scorer = BLEU(force=True)
    scorer.tokenizer = LocalTokenizer(model)
    scorer.tokenizer_signature = scorer.tokenizer.signature()
    return scorer


def find_model(named: str) -> Path:
    """The named model or, with "", the place where sacrebleu keeps it, whether or not it's there.

    Raises EvaluationError if the named file is no SentencePiece model; warns of a model that isn't the published one.
    """
    model = Path(named) if named else Path(utils.SACREBLEU_DIR, "models", Path(URL).name)
    wrong = what_is_wrong(model)
    if wrong and named:
        raise EvaluationError(f"flores200_model: {wrong}")
    if not wrong and sha256_of(model) != SHA256:
        logger.warning(
            "warning: %s is not the flores200 model that %s leads to; nobody else's spBLEU compares with its",
            model,
            URL,
        )
    return model


def what_is_wrong(model: Path) -> str:
    """Why the model cannot be used and how to get it, in one line, or nothing."""
    # reports are shown to others: no name of a home folder
    place = str(model).replace(str(Path.home()), "~", 1)
    get = f"get it with: curl -L --create-dirs -o {place} {URL}"
    if not model.is_file():
        return f"the SentencePiece model {place} is not there; {get}"
    try:
        spbleu(model)
    except (OSError, RuntimeError):
        return f"{place} is not a SentencePiece model; {get}"
    return ""
