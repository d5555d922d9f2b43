"""sacrebleu's metrics by the names that a config lists, and what keeps one of them from being computed."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.base import Metric as Scorer

from deepnet_fairseq.data.language_identification import base_language
from deepnet_fairseq.evaluation.score.config import EvaluationConfig
from deepnet_fairseq.evaluation.score.spbleu import find_model, spbleu, what_is_wrong

COMET = "COMET"  # scores all test sets in one run of another program, see comet.py
# The paper's OPUS-100 figures take it for every target language, Chinese and Japanese included.
PAPERS_TOKENIZER = "13a"
# sacrebleu chooses tokenisers by codes of two letters.
TWO_LETTERS = {"zho": "zh", "chi": "zh", "cmn": "zh", "jpn": "ja", "kor": "ko"}


@dataclass(frozen=True)
class MetricScore:
    """One metric's score of one test set, from 0 to 100, with what it takes to get the same again."""

    value: float
    signature: str


class Metric(ABC):
    """One of sacrebleu's metrics. It is handed to worker processes, so it holds no model."""

    name: str

    @abstractmethod
    def scorer(self, target: str) -> Scorer:
        """sacrebleu's object that scores translations into that language."""

    def missing(self, target: str) -> str:
        """Why translations into that language cannot be scored and what to do, in one line, or nothing."""
        return ""

    def score(
        self, hypotheses: Sequence[str], references: Sequence[str], target: str
    ) -> MetricScore:
        """Score sentences against one reference each."""
        scorer = self.scorer(target)
        value = scorer.corpus_score(hypotheses, [references]).score
        return MetricScore(value, str(scorer.get_signature()))


class Bleu(Metric):
    """The paper's: every target tokenised with 13a."""

    name = "BLEU"

    def scorer(self, target: str) -> Scorer:
        return papers_bleu()


class LanguageBleu(Metric):
    """BLEU with the tokeniser that sacrebleu chooses for the target: zh, ja-mecab, ko-mecab, or else 13a."""

    name = "BLEU-lang"

    def scorer(self, target: str) -> Scorer:
        return _bleu_of_language(_two_letters(target))

    def missing(self, target: str) -> str:
        try:
            self.scorer(target)
        except (
            ImportError,
            RuntimeError,
            AssertionError,
        ) as error:  # no MeCab, a broken one, one with other dictionaries
            reason = (
                str(error).strip().partition("\n")[0].rstrip(".") or "MeCab has a user dictionary"
            )
            return f'{reason}: pip install "sacrebleu[{_two_letters(target)}]"'
        return ""


class Chrf(Metric):
    """chrF (Popović 2015), or with words chrF++ (Popović 2017)."""

    def __init__(self, name: str, word_order: int) -> None:
        self.name, self.word_order = name, word_order

    def scorer(self, target: str) -> Scorer:
        return CHRF(word_order=self.word_order)


class SpBleu(Metric):
    """BLEU of the pieces that FLORES-200's SentencePiece model makes."""

    name = "spBLEU"

    def __init__(self, model: Path) -> None:
        self.model = model

    def scorer(self, target: str) -> Scorer:
        return spbleu(self.model)

    def missing(self, target: str) -> str:
        return what_is_wrong(self.model)


# One object each, so that a sentence is tokenised once for all that is measured with it; force: no warnings about text that looks
# tokenised, as some of OPUS-100's does.
@cache
def papers_bleu() -> BLEU:
    """sacrebleu's BLEU as the paper takes it."""
    return BLEU(tokenize=PAPERS_TOKENIZER, force=True)


@cache
def _bleu_of_language(language: str) -> BLEU:
    scorer = BLEU(trg_lang=language, force=True)
    return papers_bleu() if scorer.tokenizer_signature == PAPERS_TOKENIZER else scorer


def _two_letters(target: str) -> str:
    language = base_language(target)
    return TWO_LETTERS.get(language, language)


def choose_metrics(
    config: EvaluationConfig, targets: Sequence[str]
) -> Tuple[List[Metric], Dict[str, str]]:
    """The config's metrics of sacrebleu that can score at least one target language, and what is left out: why, and how to get it.

    A metric that lacks something for all targets is left out under its name, for some of them as "BLEU-lang (ja)". Raises EvaluationError
    if flores200_model names a file that is no SentencePiece model.
    """
    chosen: List[Metric] = []
    left_out: Dict[str, str] = {}
    for name in config.metrics:
        if name == COMET:
            continue
        metric = _create(name, config)
        missing = {target: metric.missing(target) for target in sorted(set(targets))}
        scored = [target for target, line in missing.items() if not line]
        if not scored and len(set(missing.values())) == 1:
            left_out[name] = next(iter(missing.values()))
            continue
        left_out.update({f"{name} ({target})": line for target, line in missing.items() if line})
        if (
            isinstance(metric, LanguageBleu)
            and Bleu.name in config.metrics
            and _equals_papers(metric, scored)
        ):
            left_out[name] = (
                f"the same as BLEU: no target language is tokenised with anything but {PAPERS_TOKENIZER} here"
            )
        elif scored:
            chosen.append(metric)
    return chosen, left_out


def _equals_papers(metric: LanguageBleu, targets: Sequence[str]) -> bool:
    return bool(targets) and all(metric.scorer(target) is papers_bleu() for target in targets)


def _create(name: str, config: EvaluationConfig) -> Metric:
    if name == SpBleu.name:
        return SpBleu(find_model(config.flores200_model))
    return {
        "BLEU": Bleu(),
        "BLEU-lang": LanguageBleu(),
        "chrF": Chrf("chrF", 0),
        "chrF++": Chrf("chrF++", 2),
    }[name]
