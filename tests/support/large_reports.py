"""Reports of OPUS-100's and the quick start's size, without files."""

import random
from itertools import combinations
from typing import Dict, List, Optional, Sequence

from deepnet_fairseq.data.corpora.opus100_files import (
    TRAIN_ONLY,
    TRAINING_PAIRS,
    ZERO_SHOT_LANGUAGES,
)
from deepnet_fairseq.evaluation.decode.test_data import both_ways
from deepnet_fairseq.evaluation.report.report import (
    AgainstReference,
    DirectionResult,
    Example,
    Report,
)
from deepnet_fairseq.evaluation.report.summary import mean_table, resource_class
from deepnet_fairseq.languages import Pair, sort_pair
from support.sample_reports import WORDS, sentences

QUICK_START = [("de", "en"), ("el", "en"), ("en", "es"), ("en", "hi"), ("en", "ru")]
QUICK_START_ZERO_SHOT = [("de", "es"), ("el", "ru"), ("hi", "ru")]


def quick_start_report() -> Report:
    """Return 16 directions among six languages."""
    return _report(
        "cldr_quickstart", QUICK_START, QUICK_START_ZERO_SHOT, dict.fromkeys(QUICK_START, 10_000)
    )


def opus100_report(reference: Optional[Dict[str, float]] = None) -> Report:
    """Return 188 directions with English and 30 zero-shot ones, with OPUS-100's training sizes.

    Args:
        reference: The scores of the reference system, by direction.
    """
    training = {pair: lines for pair, lines in TRAINING_PAIRS.items() if pair not in TRAIN_ONLY}
    zero_shot = list(combinations(ZERO_SHOT_LANGUAGES, 2))
    report = _report("opus100_100l", list(training), zero_shot, training)
    draw = random.Random(3)
    if reference is None:
        reference = {
            d.direction: round(d.scores["BLEU"] + draw.gauss(-0.5, 2), 1) for d in report.directions
        }
    shift = {
        d.direction: round(d.scores["BLEU"], 1) - reference[d.direction]
        for d in report.directions
        if d.direction in reference
    }
    counts = [
        sum(s > 0 for s in shift.values()),
        sum(s == 0 for s in shift.values()),
        sum(s < 0 for s in shift.values()),
    ]
    report.reference = AgainstReference(
        "24L+MergedAtt", "Zhang et al. 2020, arXiv 2004.11867", "BLEU", reference, *counts
    )
    report.directions[7].ignores_source, report.directions[7].shuffled_bleu = (
        True,
        report.directions[7].scores["BLEU"],
    )
    report.signatures["BLEU-lang"] = {
        "tok:13a|v:2": sorted({d.target for d in report.directions} - {"zh", "ja"}),
        "tok:zh|v:2": ["zh"],
    }
    return report


def _report(
    name: str, supervised: Sequence[Pair], zero_shot: Sequence[Pair], training: Dict[Pair, int]
) -> Report:
    draw = random.Random(1)
    directions = [
        _result(d.source, d.target, d.zero_shot, training, draw)
        for d in both_ways(supervised, zero_shot)
    ]
    signature = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.5.1"
    return Report(
        name=name,
        config=f"configs/{name}.yaml",
        pivot="en",
        corpus=f"runs/{name}/corpus",
        hypotheses=f"runs/{name}/evaluation/hypotheses",
        checkpoint=f"runs/{name}/checkpoints/checkpoint_average_of_5_at_100000.pt",
        averaged_from=[
            {"file": f"checkpoint_1_{n}000.pt", "updates": n * 1000} for n in (100, 95, 90, 85, 80)
        ],
        decoding=f"fairseq-generate runs/{name}/data-bin --user-dir deepnet_fairseq --beam 5 "
        "--lenpen 1.0",
        signatures={
            "BLEU": {signature: []},
            "BLEU-lang": {signature: ["de", "en"], signature.replace("13a", "zh"): ["zh"]},
            "chrF++": {"nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.5.1": []},
        },
        left_out={
            "spBLEU": "needs flores200_sacrebleu_tokenizer_spm.model; "
            "set evaluation.flores200_model"
        },
        directions=directions,
        means=mean_table(directions, "en"),
        examples=_examples(directions, draw),
    )


def _result(
    source: str, target: str, zero_shot: bool, training: Dict[Pair, int], draw: random.Random
) -> DirectionResult:
    pairs = training.get(sort_pair(source, target), 0)
    bleu = max(1.0, draw.gauss(29 + (4 if target == "en" else 0), 9)) * (0.45 if zero_shot else 1.0)
    return DirectionResult(
        direction=f"{source}-{target}",
        source=source,
        target=target,
        test_set="",
        zero_shot=zero_shot,
        training_pairs=pairs,
        resource=resource_class(pairs, 900_000, 100_000),
        lines=2000,
        scores={"BLEU": bleu, "BLEU-lang": bleu + 0.4, "chrF++": 22 + 0.9 * bleu},
        shuffled_bleu=abs(draw.gauss(0.4, 0.3)),
        distinct=0.97,
        ignores_source=False,
        references_sha256="0" * 64,
        off_target=draw.uniform(10, 60) if zero_shot else draw.uniform(0.5, 4),
        off_target_references=draw.uniform(0.5, 3),
        too_long=int(draw.random() < 0.1),
        cut=int(draw.random() < 0.2),
    )


def _examples(directions: Sequence[DirectionResult], draw: random.Random) -> List[Example]:
    known = [d for d in directions if {d.source, d.target} <= WORDS.keys()]
    texts = [
        [sentences(code, 1, draw)[0] for code in (d.source, d.target, d.target)] for d in known[:8]
    ]
    return [
        Example(d.direction, 11 * number, *three)
        for number, (d, three) in enumerate(zip(known[:8], texts, strict=True), start=1)
    ]
