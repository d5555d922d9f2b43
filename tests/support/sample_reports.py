"""Reports of made-up systems, with their sources, references and hypotheses on disk."""

import hashlib
import random
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

from deepnet_fairseq.evaluation.decode.test_data import both_ways
from deepnet_fairseq.evaluation.report.report import (
    AgainstReference,
    DirectionResult,
    Example,
    Mean,
    Report,
)
from deepnet_fairseq.languages import Pair

WORDS = {
    "ar": "مرحبا بالعالم كتاب شمس قمر",
    "de": "Haus Baum und <b>fett</b> & schön",
    "en": "house tree and moon | sun",
    "fr": "maison arbre et lune élève",
    "zh": "房子 树木 月亮 太阳 你好",
}
SUPERVISED: Sequence[Pair] = (("ar", "en"), ("de", "en"), ("en", "fr"), ("en", "zh"))
ZERO_SHOT: Sequence[Pair] = (("de", "fr"),)
TRAINING_PAIRS = {
    ("ar", "en"): 1_000_000,
    ("de", "en"): 950_000,
    ("en", "fr"): 300_000,
    ("en", "zh"): 20_000,
}


def make_report(
    folder: Path, name: str = "toy", quality: float = 0.7, seed: int = 1, lines: int = 12
) -> Report:
    """Make a report below folder/{name}, of the corpus below folder/corpus that all names share.

    Args:
        folder: The folder of all runs.
        name: The system's.
        quality: The share of words that are translated correctly.
        seed: Of the wrong words and the scores.
        lines: Sentences per direction.
    """
    references, mistakes = random.Random(7), random.Random(seed)
    corpus, hypotheses = folder / "corpus", folder / name / "evaluation" / "hypotheses"
    hypotheses.mkdir(parents=True, exist_ok=True)
    results = []
    for direction in both_ways(SUPERVISED, ZERO_SHOT):
        for path in (direction.source_file(corpus), direction.reference_file(corpus)):
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(
                    "".join(line + "\n" for line in sentences(path.suffix[1:], lines, references)),
                    encoding="utf-8",
                )
        expected = direction.reference_file(corpus).read_text(encoding="utf-8").splitlines()
        translated = [
            " ".join(word if mistakes.random() < quality else "xyz" for word in line.split())
            for line in expected
        ]
        (hypotheses / f"{direction.name}.{direction.target}").write_text(
            "".join(line + "\n" for line in translated), encoding="utf-8"
        )
        training, resource = resources(direction.source, direction.target)
        bleu = round(60 * quality + 10 * mistakes.random(), 3)
        results.append(
            DirectionResult(
                direction=direction.name,
                source=direction.source,
                target=direction.target,
                test_set="",
                zero_shot=direction.zero_shot,
                training_pairs=training,
                resource=resource,
                lines=lines,
                scores={"BLEU": bleu, "chrF++": bleu + 5},
                shuffled_bleu=1.25,
                distinct=0.98,
                ignores_source=False,
                references_sha256=hashlib.sha256(
                    direction.reference_file(corpus).read_bytes()
                ).hexdigest(),
                off_target=3.5,
                off_target_references=1.5,
                too_long=1 if direction.zero_shot else 0,
            )
        )
    into = [r for r in results if r.target == "en"]
    return Report(
        name=name,
        config=f"configs/{name}.yaml",
        pivot="en",
        corpus=str(corpus),
        hypotheses=str(hypotheses),
        checkpoint=f"runs/{name}/checkpoints/mean.pt",
        averaged_from=[
            {"file": "checkpoint2.pt", "updates": 200},
            {"file": "checkpoint1.pt", "updates": 100},
        ],
        decoding="fairseq-generate data-bin --beam 4",
        signatures={
            "BLEU": {"tok:13a|version:x": sorted(WORDS)},
            "chrF++": {"nc:6|nw:2|version:x": sorted(WORDS)},
        },
        left_out={"spBLEU": "needs a model that is not here; get it from …"},
        directions=results,
        means=[
            Mean(
                "X→en",
                len(into),
                {m: sum(r.scores[m] for r in into) / len(into) for m in ("BLEU", "chrF++")},
            )
        ],
        examples=[Example("en-ar", 3, "house <script>alert(1)</script>", "كتاب شمس", "شمس كتاب")],
        reference=AgainstReference(
            "12L",
            "Zhang et al. 2020",
            "BLEU",
            {r.direction: 30.0 for r in results},
            len(results),
            0,
            0,
        ),
    )


def make_result(
    name: str,
    bleu: Optional[float],
    resource: str = "high",
    zero_shot: bool = False,
    test_set: str = "",
    **others: float,
) -> DirectionResult:
    """Return a direction such as de-en with a BLEU score, and other metrics by name."""
    source, target = name.split("-")
    scores: Dict[str, float] = {"BLEU": bleu} if bleu is not None else {}
    return DirectionResult(
        direction=f"{test_set}.{name}" if test_set else name,
        source=source,
        target=target,
        test_set=test_set,
        zero_shot=zero_shot,
        training_pairs=0,
        resource=resource,
        lines=10,
        scores={**scores, **others},
        shuffled_bleu=0.0,
        distinct=1.0,
        ignores_source=False,
        references_sha256="",
    )


def sentences(language: str, count: int, draw: random.Random) -> Sequence[str]:
    return [
        " ".join(draw.choices(WORDS[language].split(" "), k=draw.randint(3, 9)))
        for _ in range(count)
    ]


def resources(source: str, target: str) -> Tuple[int, str]:
    """Return the training pairs and the resource class of two languages."""
    training = TRAINING_PAIRS.get((min(source, target), max(source, target)), 0)
    return (
        training,
        "high"
        if training >= 900_000
        else "medium"
        if training >= 100_000
        else "low"
        if training
        else "",
    )
