"""The sentences that two systems translate most differently well."""

from typing import Dict, List, Sequence, Tuple

from sacrebleu.metrics import CHRF

from deepnet_fairseq.evaluation.compare.result import ComparedExample
from deepnet_fairseq.evaluation.compare.systems import System, job_of
from deepnet_fairseq.evaluation.score.score import ScoringJob
from deepnet_fairseq.parallel import Jobs


def pick_examples(
    systems: Sequence[System], differences: Dict[str, float], count: int, jobs: Jobs
) -> List[ComparedExample]:
    """From each of count directions, the sentence whose translations' chrF differ most.

    The directions are those with the largest gains and, in turn, the largest losses: differences are the scores' by direction.
    """
    baseline, found = systems[0], []
    chosen = from_both_ends(
        sorted(differences, key=lambda name: differences[name], reverse=True), count
    )
    files = {
        name: [job_of(system, baseline, baseline.results[name]) for system in systems]
        for name in chosen
    }
    most = jobs.run(most_different, {name: (each,) for name, each in files.items()}, "examples")
    for name, (line, scores) in most.items():
        sources, _, references = files[name][0].read()
        names = [system.name for system in systems]
        hypotheses = [job.read()[1][line] for job in files[name]]
        languages = baseline.results[name].source, baseline.results[name].target
        texts = sources[line], references[line]
        found.append(
            ComparedExample(
                name,
                *languages,
                line + 1,
                *texts,
                dict(zip(names, hypotheses, strict=True)),
                dict(zip(names, scores, strict=True)),
            )
        )
    return found


def from_both_ends(names: Sequence[str], count: int) -> List[str]:
    """The first, the last, the second, the last but one … of the names, at most count."""
    order = [
        names[number // 2] if number % 2 == 0 else names[-1 - number // 2]
        for number in range(len(names))
    ]
    return order[:count]


def most_different(files: Sequence[ScoringJob]) -> Tuple[int, List[float]]:
    """The line, from 0, where the highest and the lowest sentence chrF of several systems lie farthest apart, and each one's chrF."""
    chrf, texts = CHRF(), [job.read() for job in files]
    references = texts[0][2]
    scores = [
        [
            chrf.sentence_score(line, [wanted]).score
            for line, wanted in zip(text[1], references, strict=True)
        ]
        for text in texts
    ]
    line = max(
        range(len(references)),
        key=lambda number: max(s[number] for s in scores) - min(s[number] for s in scores),
    )
    return line, [s[line] for s in scores]
