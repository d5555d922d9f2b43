"""Runs on disk as evaluate.sh writes them: made-up systems with sacrebleu's scores."""

from pathlib import Path
from typing import Dict, List

from sacrebleu.metrics import BLEU, CHRF

from deepnet_fairseq.evaluation.compare.systems import direction_of
from deepnet_fairseq.evaluation.decode.hypotheses import hypothesis_file
from deepnet_fairseq.evaluation.report.report import Report, read_report, write_scores
from deepnet_fairseq.evaluation.report.summary import mean_table
from support.sample_reports import make_report

METRICS = {"BLEU": BLEU(force=True), "chrF++": CHRF(word_order=2)}


def make_run(folder: Path, name: str, quality: float, lines: int = 40) -> Path:
    """Make a run in folder/{name}, with the folder's corpus; return the run's folder."""
    report = make_report(folder, name, quality, seed=sum(map(ord, name)), lines=lines)
    rescore(report)
    write_scores(report, folder / name / "evaluation")
    return folder / name


def rescore(report: Report) -> None:
    """Replace made-up scores and signatures by sacrebleu's."""
    signatures: Dict[str, Dict[str, List[str]]] = {}
    for result in report.directions:
        direction = direction_of(result)
        hypotheses, references = (
            read(hypothesis_file(direction, Path(report.hypotheses))),
            read(direction.reference_file(Path(report.corpus))),
        )
        for name, metric in METRICS.items():
            result.scores[name] = metric.corpus_score(hypotheses, [references]).score
            languages = signatures.setdefault(name, {}).setdefault(str(metric.get_signature()), [])
            languages += [result.target] if result.target not in languages else []
    report.signatures, report.means, report.reference = (
        signatures,
        mean_table(report.directions, report.pivot),
        None,
    )


def report_of(runs: Path, name: str) -> Report:
    """Return the report of a run that make_run has made."""
    return read_report(runs / name / "evaluation/scores.json")


def rewrite(runs: Path, folder: Path, run: str, **changes: object) -> Path:
    """Copy a run's report with changes; the texts stay those of the run."""
    report = report_of(runs, run)
    for key, value in changes.items():
        setattr(report, key, value)
    write_scores(report, folder / run)
    return folder / run


def read(path: Path) -> List[str]:
    return path.read_text(encoding="utf-8").splitlines()
