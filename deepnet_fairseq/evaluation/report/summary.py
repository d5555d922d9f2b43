"""The sentences of a report: warnings, the comparison with a published system, and its origin."""

from operator import attrgetter
from typing import Callable, Dict, List, NamedTuple

from deepnet_fairseq.evaluation.report.report import LINE_COUNTS, DirectionResult, Report

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
