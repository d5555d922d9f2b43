"""What a report says in brief: means over groups of directions, warnings, win ratio, origin."""

from operator import attrgetter
from statistics import fmean
from typing import Callable, Dict, List, NamedTuple, Sequence

from deepnet_fairseq.evaluation.report.report import LINE_COUNTS, DirectionResult, Mean, Report

ALL_SUPERVISED = "all supervised"
ZERO_SHOT = "zero-shot"
HIGH, MEDIUM, LOW = RESOURCE_CLASSES = ("high", "medium", "low")
RESOURCE_NAMES = {
    HIGH: "high-resource",
    MEDIUM: "medium-resource",
    LOW: "low-resource",
    "": "without training text",
}


def resource_class(training_pairs: int, high: int, medium: int) -> str:
    """Return the resource class of a language pair, or "" if it has no training text.

    Zhang et al. 2020, arXiv 2004.11867, section 5.

    Args:
        training_pairs: Sentence pairs of the two languages in the training text.
        high: Minimum number of sentence pairs of a high-resource pair.
        medium: Minimum number of sentence pairs of a medium-resource pair.
    """
    if training_pairs >= high:
        return HIGH
    if training_pairs >= medium:
        return MEDIUM
    return LOW if training_pairs else ""


def into_pivot(pivot: str) -> str:
    """Return the name of the mean over directions into the pivot."""
    return f"X→{pivot}"


def out_of_pivot(pivot: str) -> str:
    """Return the name of the mean over directions out of the pivot."""
    return f"{pivot}→X"


def mean_table(directions: Sequence[DirectionResult], pivot: str) -> List[Mean]:
    """Return the unweighted means over groups of directions; a group without any is left out.

    The groups: into and out of the pivot, all supervised, zero-shot, each further test set and,
    if there are several resource classes, into and out of the pivot per class. All groups but
    those of further test sets are over the corpus's own test set. OPUS-100's figure for "both"
    (94 directions either way) is that of all supervised directions.
    """
    supervised = [d for d in directions if not d.zero_shot and not d.test_set]
    groups = {
        into_pivot(pivot): [d for d in supervised if d.target == pivot],
        out_of_pivot(pivot): [d for d in supervised if d.source == pivot],
        ALL_SUPERVISED: supervised,
        ZERO_SHOT: [d for d in directions if d.zero_shot and not d.test_set],
    }
    for name in sorted({d.test_set for d in directions} - {""}):
        groups[name] = [d for d in directions if d.test_set == name]
    if len({d.resource for d in supervised} - {""}) > 1:
        for way in (into_pivot(pivot), out_of_pivot(pivot)):
            for resource in RESOURCE_CLASSES:
                groups[f"{way} {resource}"] = [d for d in groups[way] if d.resource == resource]
    return [Mean(name, len(group), _mean_scores(group)) for name, group in groups.items() if group]


def _mean_scores(group: Sequence[DirectionResult]) -> Dict[str, float]:
    """Return the mean of each metric that all directions have.

    A mean over fewer directions could not be compared with the other metrics.
    """
    shared = [metric for metric in group[0].scores if all(metric in d.scores for d in group)]
    return {metric: fmean(d.scores[metric] for d in group) for metric in shared}


# Percentage points above the references' own off-target rate, which is the identifier's error.
# Zero-shot directions of weak models are 30 to 90 points above it.
OFF_TARGET_EXCESS = 20.0
NAMED = 5  # further directions are counted, not named


class Signature(NamedTuple):
    """How a metric was computed, and for which target languages; "" for all."""

    metric: str
    signature: str
    languages: str

    @property
    def label(self) -> str:
        """The name of the signature in tables."""
        return f"{self.metric} signature" + (f" ({self.languages})" if self.languages else "")


def warnings(report: Report) -> List[str]:
    """Return a sentence per reason to doubt the scores; none if there is no reason."""
    lines = []
    ignoring = [d.direction for d in report.directions if d.ignores_source]
    if ignoring:
        lines.append(
            "Hypotheses do not depend on their source (see shuffled BLEU): "
            f"{_name_first(ignoring)}."
        )
    off_target = [d for d in report.directions if _off_target_excess(d) >= OFF_TARGET_EXCESS]
    if off_target:
        off_target.sort(key=_off_target_excess, reverse=True)
        rates = [f"{d.direction} {d.off_target:.0f}%" for d in off_target]
        lines.append(
            "Off-target output (hypotheses in another language than the target): "
            f"{_name_first(rates)}."
        )
    lines += special_lines(report)
    return lines + [f"{metric} is left out: {why}" for metric, why in report.left_out.items()]


def special_lines(report: Report) -> List[str]:
    """Return a sentence per kind of special line: how many, and in which directions."""
    lines = [_count_lines(report, words, attrgetter(key)) for key, words in LINE_COUNTS.items()]
    return [line for line in lines if line]


def reference_line(report: Report) -> str:
    """Return how many directions beat the reference system; "" without one."""
    if report.reference is None:
        return ""
    r = report.reference
    counts = f"{r.wins} wins, {r.ties} ties, {r.losses} losses"
    return f"{r.metric} against {r.system} ({r.source}): {counts}; win ratio {r.win_ratio:.1f}%"


def notes(report: Report) -> List[str]:
    """Return the sentences below the tables."""
    return [line for line in (reference_line(report), *warnings(report)) if line]


def signatures(report: Report) -> List[Signature]:
    """Return the signatures of every metric.

    A signature that all target languages share has no list of languages. Of several, the most
    frequent one is that of "all other target languages".
    """
    rows = []
    for metric, by_signature in report.signatures.items():
        *rarer, (signature, languages) = sorted(by_signature.items(), key=lambda item: len(item[1]))
        rows += [Signature(metric, other, ", ".join(few)) for other, few in rarer]
        others = "all other target languages" if len(languages) > NAMED else ", ".join(languages)
        rows.append(Signature(metric, signature, others if rarer else ""))
    return rows


def origin(report: Report) -> Dict[str, str]:
    """Return the config, checkpoint, data and versions of the scores, by label."""
    averaged = [f"{source['file']} (update {source['updates']})" for source in report.averaged_from]
    checkpoint = report.checkpoint
    if checkpoint and averaged:
        checkpoint += f", the mean of {', '.join(averaged)}"
    facts = {
        "config": report.config,
        "checkpoint": checkpoint,
        "hypotheses": report.hypotheses,
        "corpus": report.corpus,
        "versions": ", ".join(f"{name} {number}" for name, number in report.versions.items()),
        "date": report.date,
    }
    return {label: fact for label, fact in facts.items() if fact}


def _off_target_excess(result: DirectionResult) -> float:
    return (result.off_target or 0.0) - (result.off_target_references or 0.0)


def _count_lines(report: Report, words: str, count: Callable[[DirectionResult], int]) -> str:
    concerned = sorted((d for d in report.directions if count(d)), key=count, reverse=True)
    if not concerned:
        return ""
    total = sum(map(count, concerned))
    directions = _name_first([f"{d.direction} {count(d)}" for d in concerned])
    return f"{total:,} {'line' if total == 1 else 'lines'}: {words} ({directions})."


def _name_first(directions: List[str]) -> str:
    more = len(directions) - NAMED
    return ", ".join(directions[:NAMED]) + (f" and {more} more" if more > 0 else "")
