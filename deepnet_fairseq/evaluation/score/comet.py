"""unbabel-comet's command comet-score, run as a user would run it.

unbabel-comet 2.2.7 requires numpy below 2 and protobuf below 5, so it is usually installed in an
environment of its own. Loading its model takes longer than scoring a small test set. Therefore all
test sets are scored as one, and the score of each is the mean over its lines, as comet-score
computes it. In half precision, the last digits may depend on what else is in a batch.
"""

import json
import logging
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
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.io import sha256_of

logger = logging.getLogger(__name__)

COMMAND = "comet-score"
VARIABLE = "COMET_SCORE"  # the command's path, if it is not on PATH
GET_COMMAND = (
    f"install unbabel-comet in an environment of its own and set {VARIABLE} to the path of its "
    f"{COMMAND}"
)
# By hand, it fetches model and tokenizer.
BY_HAND = f"{COMMAND} -s SOURCES -t HYPOTHESES -r REFERENCES --model Unbabel/wmt22-comet-da"
GET_MODEL = (
    f"run once by hand, with network: {BY_HAND}; then set evaluation.comet_model to the "
    "model.ckpt below ~/.cache/huggingface"
)
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}  # evaluate.sh downloads nothing
SCALE = 100  # COMET's scores are mostly from 0 to 1; papers print them as percentages, beside BLEU

Texts = Tuple[Sequence[str], Sequence[str], Sequence[str]]  # sources, hypotheses, references


class CometFailure(RuntimeError):
    """comet-score failed; the message is one line."""


@dataclass(frozen=True)
class CometProgram:
    """The command that scores, and the checkpoint that it scores with."""

    command: str
    checkpoint: Path

    def score(self, test_sets: Iterable[Tuple[str, Texts]]) -> Dict[str, float]:
        """Score test sets by name with one load of the model.

        Raises:
            CometFailure: The command fails.
        """
        lengths: Dict[str, int] = {}
        with tempfile.TemporaryDirectory(prefix="comet-") as folder:
            paths = [Path(folder, name) for name in ("sources", "hypotheses", "references")]
            for name, texts in test_sets:
                lengths[name] = len(texts[0])
                for path, lines in zip(paths, texts, strict=True):
                    _append(path, lines)
            total, output = sum(lengths.values()), Path(folder, "scores.json")
            logger.info("scoring %d lines with %s", total, self.command)
            self._run(*paths, output)
            scores = iter(_read_scores(output, total))
        return {name: SCALE * fmean(islice(scores, n)) for name, n in lengths.items()}

    def signature(self) -> str:
        """Return what reproduces the scores, in sacrebleu's notation."""
        digest = sha256_of(self.checkpoint)[:12]
        model, version = _model_name(self.checkpoint), _version(self.command)
        return f"model:{model}|sha256:{digest}|scale:{SCALE}|version:{version}"

    def _run(self, sources: Path, hypotheses: Path, references: Path, output: Path) -> None:
        files = ["-s", sources, "-t", hypotheses, "-r", references, "--to_json", output]
        # --gpus 1 uses a GPU if there is one, else the CPU. More would start this command again
        # for each.
        options = ["--model", self.checkpoint, "--gpus", "1", "--quiet", "--only_system"]
        try:
            done = subprocess.run(
                [self.command, *map(str, files), *map(str, options)],
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


def find_comet(checkpoint: str) -> Tuple[Optional[CometProgram], str]:
    """Return COMET with a checkpoint, or None and in one line what is missing and how to get it.

    Raises:
        EvaluationError: The checkpoint, or the path in $COMET_SCORE, does not exist.
    """
    named = os.environ.get(VARIABLE, "")
    if named and shutil.which(named) is None:
        raise EvaluationError(
            f"{VARIABLE} is {named}, which is not a program; set it to the path of "
            f"unbabel-comet's {COMMAND}"
        )
    # comet-score would look for any other name on the hub
    if checkpoint and not (Path(checkpoint).is_file() and checkpoint.endswith(".ckpt")):
        raise EvaluationError(
            f"comet_model is {checkpoint}, which is not a .ckpt file; {GET_MODEL}"
        )
    command = shutil.which(named or COMMAND)
    if command is None:
        return None, f"needs the program {COMMAND}; {GET_COMMAND}"
    if not checkpoint:
        return None, f"needs a local checkpoint; {GET_MODEL}"
    return CometProgram(command, Path(checkpoint)), ""


def _append(path: Path, lines: Sequence[str]) -> None:
    # comet-score also ends a line at a carriage return
    with open(path, "a", encoding="utf-8", newline="\n") as stream:
        stream.writelines(line.replace("\r", " ") + "\n" for line in lines)


def _read_scores(path: Path, lines: int) -> List[float]:
    """Return the score of each line in a file of --to_json: {file: [{src, mt, ref, COMET}, …]}."""
    try:
        ((_, rows),) = json.loads(path.read_text(encoding="utf-8")).items()
        scores = [float(row["COMET"]) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise CometFailure(
            f"{COMMAND} wrote no scores that this version understands ({reason})"
        ) from error
    if len(scores) != lines or not all(map(math.isfinite, scores)):
        finite = sum(map(math.isfinite, scores))
        raise CometFailure(f"{COMMAND} gave {finite} scores for {lines} lines")
    return scores


def _reason(errors: str) -> str:
    """Return the line of a program's stderr that names the last exception, or else the last."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()] or ["it says nothing"]
    exception = re.compile(r"[\w.]*(Error|Exception)\b")
    return next((line for line in reversed(lines) if exception.match(line)), lines[-1])


def _model_name(checkpoint: Path) -> str:
    """Return wmt22-comet-da for …/wmt22-comet-da/checkpoints/model.ckpt.

    The hub's cache has it as …/models--Unbabel--wmt22-comet-da/snapshots/…/model.ckpt.
    """
    hub = [part for part in checkpoint.parts if part.startswith("models--")]
    return hub[-1].split("--")[-1] if hub else checkpoint.absolute().parents[1].name


def _version(command: str) -> str:
    """Return unbabel-comet's version as the Python beside the command knows it."""
    python = Path(command).resolve().with_name("python")
    ask = "from importlib.metadata import version; print(version('unbabel-comet'))"
    try:
        done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
