"""What can be compared: a run, by its folder or scores.json, and any other system, by a folder of plain hypothesis files."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.decode.hypotheses import hypothesis_file
from deepnet_fairseq.evaluation.decode.test_data import Direction
from deepnet_fairseq.evaluation.report.report import JSON_NAME, DirectionResult, read_report
from deepnet_fairseq.evaluation.score.score import ScoringJob

Signatures = Dict[
    str, Dict[str, List[str]]
]  # as in a report: by metric, each signature with the target languages that it is of

EVALUATION = "evaluation"  # in a run's folder, see Recipe.evaluation_dir


@dataclass
class System:
    """One system: what it scored, and where its texts are."""

    name: str
    path: Path  # what it was read from
    hypotheses: Optional[Path]  # None if the folder isn't there
    corpus: Optional[Path] = None  # the folder with sources and references; None if it isn't there
    pivot: str = ""
    results: Dict[str, DirectionResult] = field(
        default_factory=dict
    )  # by direction; empty for hypotheses that are still to be scored
    signatures: Signatures = field(default_factory=dict)


def load_systems(paths: Sequence[Path]) -> List[System]:
    """Find and read several systems; where names are equal, add the folders' names to them.

    Raises EvaluationError if one is neither a run nor a folder of hypotheses, the first is no run, or the same is given twice.
    """
    systems = [_load(path) for path in paths]
    if not systems[0].results:
        raise EvaluationError(
            f"{paths[0]} has no {JSON_NAME}: the first must be a run that evaluate.sh has scored, its corpus is used for all"
        )
    places = [system.path.resolve() for system in systems]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise EvaluationError(
                f"{paths[number]} is the same as {paths[places.index(place)]}; give different runs"
            )
    _tell_apart(systems)
    return systems


def job_of(system: System, baseline: System, result: DirectionResult) -> ScoringJob:
    """A system's files of one direction, with the baseline's sources and references. Raises EvaluationError if one is missing."""
    for folder, what, owner in (
        (baseline.corpus, "corpus", baseline),
        (system.hypotheses, "hypotheses", system),
    ):
        if folder is None:
            raise EvaluationError(
                f"the {what} of {owner.path} can't be found; call from the folder where it was evaluated, or take --test none --examples 0"
            )
    direction = direction_of(result)
    sources = direction.source_file(baseline.corpus)
    references = direction.reference_file(baseline.corpus)
    job = ScoringJob(
        sources, hypothesis_file(direction, system.hypotheses), references, result.target
    )
    for path in (job.sources, job.hypotheses, job.references):
        if not path.is_file():
            raise EvaluationError(
                f"{path} is missing; run scripts/evaluate.sh again, or take --test none --examples 0"
            )
    return job


def direction_of(result: DirectionResult) -> Direction:
    return Direction(result.source, result.target, result.zero_shot, result.test_set)


def _load(path: Path) -> System:
    for scores in (path, path / JSON_NAME, path / EVALUATION / JSON_NAME):
        if scores.is_file():
            return _load_run(scores)
    if not path.is_dir():
        raise EvaluationError(f"{path}: no such run, {JSON_NAME} or folder of hypotheses")
    if not any(
        file.suffix and file.stem.endswith(f"-{file.suffix[1:]}") for file in path.iterdir()
    ):
        raise EvaluationError(
            f"{path} holds neither {JSON_NAME} nor {EVALUATION}/{JSON_NAME} nor hypotheses such as de-en.en; run scripts/evaluate.sh first"
        )
    return System(path.resolve().name, path, path)


def _load_run(scores: Path) -> System:
    report = read_report(scores)
    # evaluate.sh's own lie beside the scores, also in a folder that was copied; another system's lie where they were given.
    beside = scores.parent / Path(report.hypotheses).name
    hypotheses = (
        beside if report.checkpoint and beside.is_dir() else _find(report.hypotheses, scores.parent)
    )
    results = {result.direction: result for result in report.directions}
    return System(
        report.name,
        scores,
        hypotheses,
        _find(report.corpus, scores.parent),
        report.pivot,
        results,
        report.signatures,
    )


def _find(written: str, folder: Path) -> Optional[Path]:
    """A folder that a scores.json names: relative to where evaluate.sh was called, which is most often here or above the scores."""
    places = [
        Path(written),
        *(place / written for place in (folder.resolve(), *folder.resolve().parents)),
    ]
    return next((place for place in places if place.is_dir()), None)


def _tell_apart(systems: Sequence[System]) -> None:
    for distinguish in (_folder_name, lambda system: str(system.path)):
        names = [system.name for system in systems]
        for system in systems:
            if names.count(system.name) > 1:
                system.name = f"{system.name.partition(' (')[0]} ({distinguish(system)})"


def _folder_name(system: System) -> str:
    folder = system.path.resolve() if system.path.is_dir() else system.path.resolve().parent
    return folder.parent.name if folder.name == EVALUATION else folder.name
