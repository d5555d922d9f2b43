"""The metrics that a config can list, by name: how each is computed, and what it needs.

Nothing is downloaded. A metric whose model or package is missing is skipped, with a line that says
how to install it.
"""

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import MappingProxyType
from typing import Dict, Iterable, List, Mapping, Sequence, Tuple

from sacrebleu.metrics import CHRF
from sacrebleu.metrics.base import Metric as Scorer

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.score import scorers
from deepnet_fairseq.evaluation.score.comet import CometFailure, Texts, find_comet
from deepnet_fairseq.io import sha256_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MetricScore:
    """The score of one test set, from 0 to 100, and the signature that reproduces it."""

    value: float
    signature: str


@dataclass(frozen=True)
class Metric:
    """What all metrics share. It is sent to worker processes, so it holds no loaded model.

    Args:
        name: As configs and reports write it.
        model: The model file that the config names; "" is the default, or no model at all.
    """

    name: str
    model: str = ""

    def check_model(self) -> None:
        """Raise EvaluationError if the config names a model that cannot be used."""

    def missing(self, target: str) -> str:
        """Return what scoring a target language lacks and how to get it, in one line, or ""."""
        return ""


class SacrebleuMetric(Metric, ABC):
    """A metric that sacrebleu computes, one test set at a time."""

    @abstractmethod
    def scorer(self, target: str) -> Scorer:
        """Return sacrebleu's object that scores translations into a language."""

    def score(
        self, hypotheses: Sequence[str], references: Sequence[str], target: str
    ) -> MetricScore:
        """Score sentences against one reference each."""
        scorer = self.scorer(target)
        value = scorer.corpus_score(hypotheses, [references]).score
        return MetricScore(value, str(scorer.get_signature()))


class PapersBleu(SacrebleuMetric):
    """BLEU as the paper computes it: 13a tokenizes every target language."""

    def scorer(self, target: str) -> Scorer:
        """Return the same object for every language."""
        return scorers.papers_bleu()


class LanguageBleu(SacrebleuMetric):
    """BLEU with sacrebleu's tokenizer for the target: zh, ja-mecab, ko-mecab, or else 13a."""

    def scorer(self, target: str) -> Scorer:
        """Return the object for the language's tokenizer."""
        return scorers.language_bleu(scorers.two_letters(target))

    def missing(self, target: str) -> str:
        """Return which tokenizer's package is missing and how to install it, in one line, or ""."""
        try:
            self.scorer(target)
        # no MeCab, a broken one, one with other dictionaries
        except (ImportError, RuntimeError, AssertionError) as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            reason = reason or "MeCab has a user dictionary"
            return f'{reason}: pip install "sacrebleu[{scorers.two_letters(target)}]"'
        return ""


class Chrf(SacrebleuMetric):
    """chrF (Popović 2015)."""

    def scorer(self, target: str) -> Scorer:
        """Return a new object; chrF is the same for every language."""
        return CHRF()


class ChrfPlusPlus(SacrebleuMetric):
    """chrF++ (Popović 2017): chrF with words and their bigrams."""

    def scorer(self, target: str) -> Scorer:
        """Return a new object; chrF++ is the same for every language."""
        return CHRF(word_order=2)


class SpBleu(SacrebleuMetric):
    """BLEU of SentencePiece pieces, one model for 200 languages (NLLB Team 2022, arXiv 2207.04672).

    sacrebleu's tokenizer flores200 downloads a missing model; here it is only read from a file.
    """

    def scorer(self, target: str) -> Scorer:
        """Return the same object for every language."""
        return scorers.spbleu(scorers.flores200_path(self.model))

    def check_model(self) -> None:
        """Raise EvaluationError for a named file that is no model; warn of an unpublished one."""
        problem, path = self.missing(""), scorers.flores200_path(self.model)
        if problem and self.model:
            raise EvaluationError(f"flores200_model: {problem}")
        if not problem and sha256_of(path) != scorers.FLORES200_SHA256:
            logger.warning(
                "warning: %s is not the flores200 model that %s leads to; its spBLEU cannot be "
                "compared with published scores",
                path,
                scorers.FLORES200["url"],
            )

    def missing(self, target: str) -> str:
        """Return why the model cannot be used and how to get it, in one line, or ""."""
        return scorers.flores200_problem(scorers.flores200_path(self.model))


class Comet(Metric):
    """COMET (Rei et al. 2022), which scores all test sets in one run of another program."""

    def check_model(self) -> None:
        """Raise EvaluationError for a named checkpoint or program that does not exist."""
        find_comet(self.model)

    def missing(self, target: str) -> str:
        """Return whether program or checkpoint is missing and how to get it, in one line, or ""."""
        return find_comet(self.model)[1]

    def score_all(self, test_sets: Iterable[Tuple[str, Texts]]) -> Dict[str, MetricScore]:
        """Score test sets by name. Raises CometFailure if the program fails."""
        program, problem = find_comet(self.model)
        if program is None:
            raise CometFailure(problem)
        signature = program.signature()
        scores = program.score(test_sets)
        return {name: MetricScore(score, signature) for name, score in scores.items()}


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            PapersBleu("BLEU"),
            LanguageBleu("BLEU-lang"),
            Chrf("chrF"),
            ChrfPlusPlus("chrF++"),
            SpBleu("spBLEU"),
            Comet("COMET"),
        )
    }
)


def choose_metrics(
    metrics: Sequence[Metric], targets: Sequence[str], drop_duplicates: bool = False
) -> Tuple[List[Metric], Dict[str, str]]:
    """Return the metrics that can score at least one of the target languages, and what is skipped.

    What is skipped has its reason and remedy in one line. Its key is the metric's name if the
    reason is the same for all targets, else such as "BLEU-lang (ja)".

    Args:
        metrics: The requested ones.
        targets: The languages of the hypotheses.
        drop_duplicates: Skip BLEU-lang where it equals BLEU and both are requested.

    Raises:
        EvaluationError: The config names a model that cannot be used.
    """
    chosen: List[Metric] = []
    left_out: Dict[str, str] = {}
    for metric in metrics:
        metric.check_model()
        missing = {target: metric.missing(target) for target in sorted(set(targets))}
        scored = [target for target, problem in missing.items() if not problem]
        if not scored and len(set(missing.values())) == 1:
            left_out[metric.name] = next(iter(missing.values()))
            continue
        left_out.update({f"{metric.name} ({t})": line for t, line in missing.items() if line})
        duplicate = drop_duplicates and METRICS["BLEU"] in metrics and _is_papers(metric, scored)
        if scored and duplicate:
            left_out[metric.name] = (
                "the same as BLEU: no target language is tokenised with anything but "
                f"{scorers.PAPERS_TOKENIZER} here"
            )
        elif scored:
            chosen.append(metric)
    return chosen, left_out


def is_testable(name: str) -> bool:
    """Tell whether sacrebleu computes the metric of that name, so that its tests apply."""
    return isinstance(METRICS.get(name), SacrebleuMetric)


def _is_papers(metric: Metric, targets: Sequence[str]) -> bool:
    return isinstance(metric, LanguageBleu) and all(
        metric.scorer(target) is scorers.papers_bleu() for target in targets
    )
