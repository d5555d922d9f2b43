"""COMET (Rei et al. 2022), if the user has it: unbabel-comet's command comet-score, run as it would be by hand.

unbabel-comet 2.2.7 wants numpy below 2 and protobuf below 5, so it usually lives in an environment of its own. Loading its model takes
longer than scoring a small test set; hence all test sets are scored as one, and each gets the mean of its own lines' scores, as
comet-score itself would take it. Other neighbours in a batch of half-precision numbers may change a score's last digits.
"""

import json
import math
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.score.job import ScoringJob
from deepnet_fairseq.evaluation.score.metrics import MetricScore
from deepnet_fairseq.io import sha256_of

COMMAND = "comet-score"
VARIABLE = "COMET_SCORE"  # the command's path, where it isn't on PATH
GET_COMMAND = f"install unbabel-comet in an environment of its own and set {VARIABLE} to the path of its {COMMAND}"
BY_HAND = f"{COMMAND} -s SOURCES -t HYPOTHESES -r REFERENCES --model Unbabel/wmt22-comet-da"  # fetches model and tokeniser
GET_MODEL = f"run once by hand, with network: {BY_HAND}; then set evaluation.comet_model to the model.ckpt below ~/.cache/huggingface"
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}  # nothing is downloaded without being asked for
SCALE = 100  # COMET's scores are mostly from 0 to 1; papers print them as percentages, beside BLEU


class CometFailure(RuntimeError):
    """comet-score could not do its work; the message is one line."""


@dataclass(frozen=True)
class Comet:
    """A checkpoint, and the command that scores with it."""

    command: str
    checkpoint: Path

    def score(self, jobs: Mapping[str, ScoringJob]) -> Dict[str, MetricScore]:
        """Score all test sets with one load of the model. Raises CometFailure if the command fails."""
        lengths: Dict[str, int] = {}
        with tempfile.TemporaryDirectory(prefix="comet-") as folder:
            paths = [
                Path(folder, name)
                for name in ("sources", "hypotheses", "references", "scores.json")
            ]
            for name, job in jobs.items():
                texts = job.read()
                lengths[name] = len(texts[0])
                for path, lines in zip(paths[:3], texts, strict=True):
                    _append(path, lines)
            self._run(*paths)
            scores = _read_scores(paths[-1], sum(lengths.values()))
        signature, rest = self.signature(), iter(scores)
        return {
            name: MetricScore(SCALE * fmean(islice(rest, length)), signature)
            for name, length in lengths.items()
        }

    def signature(self) -> str:
        """What it takes to get the same scores again, in sacrebleu's manner."""
        digest = sha256_of(self.checkpoint)
        return f"model:{_model_name(self.checkpoint)}|sha256:{digest[:12]}|scale:{SCALE}|version:{_version(self.command)}"

    def _run(self, sources: Path, hypotheses: Path, references: Path, scores: Path) -> None:
        # --gpus 1 takes a GPU if there is one and else the CPU; more would start this command again for each
        files = [
            "-s",
            str(sources),
            "-t",
            str(hypotheses),
            "-r",
            str(references),
            "--to_json",
            str(scores),
        ]
        command = [
            self.command,
            *files,
            "--model",
            str(self.checkpoint),
            "--gpus",
            "1",
            "--quiet",
            "--only_system",
        ]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                env={**os.environ, **OFFLINE},
            )
        except OSError as error:
            raise CometFailure(f"{self.command} cannot be run: {error.strerror}") from error
        if done.returncode:
            raise CometFailure(
                f"{self.command} failed with status {done.returncode}: {_reason(done.stderr)}"
            )


def find_comet(checkpoint: str) -> Tuple[Optional[Comet], str]:
    """COMET with that checkpoint, or None and in one line what is missing and how to get it.

    Raises EvaluationError for a checkpoint, or a path in $COMET_SCORE, that isn't there.
    """
    named = os.environ.get(VARIABLE, "")
    if named and shutil.which(named) is None:
        raise EvaluationError(
            f"{VARIABLE} is {named}, which is not a program; set it to the path of unbabel-comet's {COMMAND}"
        )
    if checkpoint and not (
        Path(checkpoint).is_file() and checkpoint.endswith(".ckpt")
    ):  # comet-score would look for it on the hub
        raise EvaluationError(
            f"comet_model is {checkpoint}, which is not a .ckpt file; {GET_MODEL}"
        )
    command = shutil.which(named or COMMAND)
    if command is None:
        return None, f"needs the program {COMMAND}; {GET_COMMAND}"
    if not checkpoint:
        return None, f"needs a local checkpoint; {GET_MODEL}"
    return Comet(command, Path(checkpoint)), ""


def _append(path: Path, lines: Sequence[str]) -> None:
    # comet-score takes a carriage return for the end of a line, too
    with open(path, "a", encoding="utf-8", newline="\n") as stream:
        stream.writelines(line.replace("\r", " ") + "\n" for line in lines)


def _read_scores(path: Path, lines: int) -> List[float]:
    """The score of every line in what --to_json wrote: {file: [{src, mt, ref, COMET}, …]}."""
    try:
        ((_, rows),) = json.loads(path.read_text(encoding="utf-8")).items()
        scores = [float(row["COMET"]) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CometFailure(
            f"{COMMAND} wrote no scores that this version understands ({type(error).__name__}: {error})"
        ) from error
    if len(scores) != lines or not all(map(math.isfinite, scores)):
        raise CometFailure(
            f"{COMMAND} gave {sum(map(math.isfinite, scores))} scores for {lines} lines"
        )
    return scores


def _reason(errors: str) -> str:
    """Of a program's error output, the line that names the last exception, or else the last line."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()] or ["it says nothing"]
    return next(
        (line for line in reversed(lines) if re.match(r"[\w.]*(Error|Exception)\b", line)),
        lines[-1],
    )


def _model_name(checkpoint: Path) -> str:
    """wmt22-comet-da of …/wmt22-comet-da/checkpoints/model.ckpt and of …/models--Unbabel--wmt22-comet-da/snapshots/…/model.ckpt."""
    hub = [part for part in checkpoint.parts if part.startswith("models--")]
    return hub[-1].split("--")[-1] if hub else checkpoint.absolute().parents[1].name


def _version(command: str) -> str:
    """unbabel-comet's version as the Python beside the command knows it."""
    python = Path(command).resolve().with_name("python")
    ask = "from importlib.metadata import version; print(version('unbabel-comet'))"
    try:
        return subprocess.run(
            [python, "-c", ask], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
