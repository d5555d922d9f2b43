"""Detokenised sacreBLEU and chrF of plain text files, and their means over directions."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Dict, List, Mapping, Sequence

from sacrebleu.metrics import BLEU, CHRF

from deepnet_fairseq.data.layout import read_lines
from deepnet_fairseq.evaluation import EvaluationError
from deepnet_fairseq.evaluation.direction import Direction

# The paper's OPUS-100 figures take 13a for every target language, Chinese and Japanese included.
TOKENIZER = "13a"
ALL_SUPERVISED = "all supervised"
ZERO_SHOT = "zero-shot"


@dataclass(frozen=True)
class Score:
    """Corpus scores of one test set, each on a scale from 0 to 100, with sacrebleu's signatures."""

    bleu: float
    chrf: float
    lines: int
    bleu_signature: str
    chrf_signature: str


@dataclass(frozen=True)
class Mean:
    """The unweighted mean over several directions' scores, as the paper takes it."""

    bleu: float
    chrf: float
    directions: int


def score_files(hypotheses: Path, references: Path) -> Score:
    """Score a file against another. Raises EvaluationError, naming both, if they differ in lines."""
    lines = list(read_lines(hypotheses)), list(read_lines(references))
    if len(lines[0]) != len(lines[1]):
        raise EvaluationError(f"{hypotheses} has {len(lines[0])} lines, but {references} has {len(lines[1])}")
    return score_lines(*lines)


def score_lines(hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    """Score sentences against one reference each. Raises EvaluationError if they aren't as many, or there are none."""
    if len(hypotheses) != len(references) or not references:
        raise EvaluationError(f"{len(hypotheses)} hypotheses for {len(references)} references; there must be one each, and at least one")
    # force: no warning about text that looks tokenised; OPUS-100's holds some that does
    bleu, chrf = BLEU(tokenize=TOKENIZER, force=True), CHRF()
    scores = [metric.corpus_score(hypotheses, [references]).score for metric in (bleu, chrf)]
    return Score(scores[0], scores[1], len(references), str(bleu.get_signature()), str(chrf.get_signature()))


def mean_scores(scores: Mapping[Direction, Score], pivot: str) -> Dict[str, Mean]:
    """The means that papers report: into and out of the pivot, over all supervised and all zero-shot directions, and on further test sets.

    A group without directions is left out.
    """
    supervised = [direction for direction in scores if not direction.zero_shot and not direction.test_set]
    groups: Dict[str, List[Direction]] = {
        f"X→{pivot}": [direction for direction in supervised if direction.target == pivot],
        f"{pivot}→X": [direction for direction in supervised if direction.source == pivot],
        ALL_SUPERVISED: supervised,
        ZERO_SHOT: [direction for direction in scores if direction.zero_shot and not direction.test_set],
    }
    for name in sorted({direction.test_set for direction in scores} - {""}):
        groups[name] = [direction for direction in scores if direction.test_set == name]
    return {
        name: Mean(fmean(scores[d].bleu for d in group), fmean(scores[d].chrf for d in group), len(group))
        for name, group in groups.items()
        if group
    }
