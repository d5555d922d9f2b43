"""The systems that can be compared, and their files.

A system is a run, given by its folder or scores.json, or a folder with the hypothesis files of any
other system.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.compare.result import Signatures
from deepnet_fairseq.evaluation.decode.hypotheses import hypothesis_file
from deepnet_fairseq.evaluation.decode.test_data import Direction
from deepnet_fairseq.evaluation.report.report import JSON_NAME, DirectionResult, read_report
from deepnet_fairseq.evaluation.score.score import ScoringJob

EVALUATION = "evaluation"  # in a run's folder, see Recipe.evaluation_dir
WITHOUT_TEXTS = "--test none --examples 0"  # the options that need no sentences


@dataclass
class System:
    """One system: its scores, and the folders of its texts."""

    name: str
    path: Path  # the folder or file that it was read from
    hypotheses: Optional[Path]  # None if the folder does not exist
    corpus: Optional[Path] = None  # with sources and references; None if it does not exist
    pivot: str = ""
    results: Dict[str, DirectionResult] = field(default_factory=dict)  # empty: not scored yet
    signatures: Signatures = field(default_factory=dict)


def load_systems(paths: Sequence[Path]) -> List[System]:
    """Load systems; systems of one name get their folders' names in brackets.

    Raises:
        EvaluationError: A path is neither a run nor a folder of hypotheses, the first one is not a
            run, or two are the same.
    """
    systems = [_load(path) for path in paths]
    if not systems[0].results:
        raise EvaluationError(
            f"{paths[0]} has no {JSON_NAME}: the first must be a run that evaluate.sh has scored, "
            "its corpus is used for all"
        )
    resolved = [system.path.resolve() for system in systems]
    for number, path in enumerate(resolved):
        if path in resolved[:number]:
            raise EvaluationError(
                f"{paths[number]} is the same as {paths[resolved.index(path)]}; give different runs"
            )
    _rename_duplicates(systems)
    return systems


def job_of(system: System, baseline: System, result: DirectionResult) -> ScoringJob:
    """Return a system's files of one direction, with the baseline's sources and references.

    Raises:
        EvaluationError: A folder or file is missing.
    """
    corpus = _require(baseline.corpus, "corpus", baseline)
    hypotheses = _require(system.hypotheses, "hypotheses", system)
    direction = direction_of(result)
    job = ScoringJob(
        direction.source_file(corpus),
        hypothesis_file(direction, hypotheses),
        direction.reference_file(corpus),
        result.target,
    )
    for path in (job.sources, job.hypotheses, job.references):
        if not path.is_file():
            raise EvaluationError(
                f"{path} is missing; run scripts/evaluate.sh again, or take {WITHOUT_TEXTS}"
            )
    return job


def direction_of(result: DirectionResult) -> Direction:
    """Return the direction of a result."""
    return Direction(result.source, result.target, result.zero_shot, result.test_set)


def _require(folder: Optional[Path], kind: str, owner: System) -> Path:
    if folder is None:
        raise EvaluationError(
            f"the {kind} of {owner.path} can't be found; call from the folder where it was "
            f"evaluated, or take {WITHOUT_TEXTS}"
        )
    return folder


def _load(path: Path) -> System:
    for scores in (path, path / JSON_NAME, path / EVALUATION / JSON_NAME):
        if scores.is_file():
            return _load_run(scores)
    if not path.is_dir():
        raise EvaluationError(f"{path}: no such run, {JSON_NAME} or folder of hypotheses")
    if not any(_is_hypothesis_file(file) for file in path.iterdir()):
        raise EvaluationError(
            f"{path} holds neither {JSON_NAME} nor {EVALUATION}/{JSON_NAME} nor hypotheses such as "
            "de-en.en; run scripts/evaluate.sh first"
        )
    return System(path.resolve().name, path, path)


def _is_hypothesis_file(path: Path) -> bool:
    """Return whether a name is like de-en.en."""
    return bool(path.suffix) and path.stem.endswith(f"-{path.suffix[1:]}")


def _load_run(scores: Path) -> System:
    report = read_report(scores)
    # evaluate.sh's own hypotheses are beside the scores, in a copied folder too; those of another
    # system are in the folder that was given.
    beside = scores.parent / Path(report.hypotheses).name
    if report.checkpoint and beside.is_dir():
        hypotheses: Optional[Path] = beside
    else:
        hypotheses = _find(report.hypotheses, scores.parent)
    return System(
        report.name,
        scores,
        hypotheses,
        _find(report.corpus, scores.parent),
        report.pivot,
        {result.direction: result for result in report.directions},
        report.signatures,
    )


def _find(name: str, folder: Path) -> Optional[Path]:
    """Return a folder that a scores.json names, or None.

    The name is relative to the folder in which evaluate.sh was called: usually the current one, or
    one above the scores.
    """
    above = [parent / name for parent in (folder.resolve(), *folder.resolve().parents)]
    return next((path for path in (Path(name), *above) if path.is_dir()), None)


def _rename_duplicates(systems: Sequence[System]) -> None:
    for distinguish in (_folder_name, lambda system: str(system.path)):
        names = [system.name for system in systems]
        for system in systems:
            if names.count(system.name) > 1:
                system.name = f"{system.name.partition(' (')[0]} ({distinguish(system)})"


def _folder_name(system: System) -> str:
    folder = system.path.resolve() if system.path.is_dir() else system.path.resolve().parent
    return folder.parent.name if folder.name == EVALUATION else folder.name
