"""What a report says in words: what to be wary of, how it compares, and what its scores are."""

from operator import attrgetter
from typing import Callable, Dict, List, NamedTuple, Optional

from deepnet_fairseq.evaluation.report.report import DirectionResult, Report

# Above what the identifier calls off-target among the references; zero-shot directions of weak models reach 30 to 90 more.
OFF_TARGET_MORE = 20.0
NAMED = 5  # more directions than these are counted, not named
LINES = {  # what DirectionResult counts, in words
    "empty": "empty source",
    "too_long": "too long for the model, hypothesis left empty",
    "cut": "hypothesis cut off at the longest that the search allows",
    "unknown": "source with characters that the vocabulary lacks",
}


class Signature(NamedTuple):
    """How a metric was computed, and for which target languages; "" for all."""

    metric: str
    signature: str
    languages: str


def warnings(report: Report) -> List[str]:
    """What makes scores doubtful, a sentence each; nothing if all is well."""
    rows = report.directions
    ignoring = _named([d.direction for d in rows if d.ignores_source])
    said = (
        [f"Hypotheses do not depend on their source (see shuffled BLEU): {ignoring}."]
        if ignoring
        else []
    )
    most_first = sorted(
        (d for d in rows if _astray(d) >= OFF_TARGET_MORE), key=_astray, reverse=True
    )
    astray = _named([f"{d.direction} {d.off_target:.0f}%" for d in most_first])
    if astray:
        said.append(f"Much of the output is in another language than the target: {astray}.")
    return (
        said
        + line_notes(report)
        + [f"{metric} is left out: {why}" for metric, why in report.left_out.items()]
    )


def line_notes(report: Report) -> List[str]:
    """How many lines were left empty, cut and so on, and of which directions, those with the most first."""
    notes = [_count_lines(report, words, attrgetter(key)) for key, words in LINES.items()]
    return [note for note in notes if note]


def reference_line(report: Report) -> str:
    """How many directions beat the reference system; "" without one."""
    if report.reference is None:
        return ""
    r = report.reference
    return f"{r.metric} against {r.system} ({r.source}): {r.wins} wins, {r.ties} ties, {r.losses} losses; win ratio {r.win_ratio:.1f}%"


def reference_difference(report: Report, result: DirectionResult) -> Optional[float]:
    """How far a direction's score is above the reference system's; None if either lacks it."""
    if (
        report.reference is None
        or result.direction not in report.reference.scores
        or report.reference.metric not in result.scores
    ):
        return None
    return result.scores[report.reference.metric] - report.reference.scores[result.direction]


def signatures(report: Report) -> List[Signature]:
    """Every metric's signatures. One that all target languages share stands there once; of several, the commonest is that of the others."""
    found = []
    for metric, by_signature in report.signatures.items():
        *rarer, (signature, languages) = sorted(by_signature.items(), key=lambda item: len(item[1]))
        found += [Signature(metric, of_few, ", ".join(few)) for of_few, few in rarer]
        others = "all other target languages" if len(languages) > NAMED else ", ".join(languages)
        found.append(Signature(metric, signature, others if rarer else ""))
    return found


def origin(report: Report) -> Dict[str, str]:
    """Where the scores come from, by what it is called; the signatures apart."""
    averaged = ", ".join(
        f"{source['file']} (update {source['updates']})" for source in report.averaged_from
    )
    facts = {
        "config": report.config,
        "checkpoint": report.checkpoint
        and report.checkpoint + (f", the mean of {averaged}" if averaged else ""),
        "hypotheses": report.hypotheses,
        "corpus": report.corpus,
        "versions": ", ".join(f"{name} {number}" for name, number in report.versions.items()),
        "date": report.date,
    }
    return {name: fact for name, fact in facts.items() if fact}


def _astray(result: DirectionResult) -> float:
    return (result.off_target or 0.0) - (result.off_target_references or 0.0)


def _count_lines(report: Report, words: str, count: Callable[[DirectionResult], int]) -> str:
    found = sorted((d for d in report.directions if count(d)), key=count, reverse=True)
    total, named = sum(map(count, found)), _named([f"{d.direction} {count(d)}" for d in found])
    return f"{total:,} {'line' if total == 1 else 'lines'}: {words} ({named})." if found else ""


def _named(directions: List[str]) -> str:
    more = len(directions) - NAMED
    return ", ".join(directions[:NAMED]) + (f" and {more} more" if more > 0 else "")
