"""fairseq-generate in this process, and what it prints turned into one sentence per line."""

import gc
import re
import shlex
import shutil
import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence

from fairseq import options

from deepnet_fairseq.data.layout import read_lines
from deepnet_fairseq.evaluation import EvaluationError
from deepnet_fairseq.flags import FlagError, parse_flags

# `D-{id} \t score \t sentence`: the hypothesis after --remove-bpe (and after --bpe and --tokenizer, if given).
HYPOTHESIS = re.compile(r"D-(\d+)\t[^\t]*\t(.*)")
TOO_LONG = re.compile(r"Size of sample #(\d+) is invalid \(=(.*?)\) since max_positions=(.*), skip")
SKIP_FLAG = "--skip-invalid-size-inputs-valid-test"
BYTES = re.compile(r"(?:<0x[0-9A-F]{2}>)+")


@dataclass(frozen=True)
class Generated:
    """The hypotheses of one test set, one per sentence, and which sentences (from 0) were skipped as too long."""

    lines: List[str]
    skipped: List[int]


def parse_command(command: Sequence[str]) -> Namespace:
    """What fairseq's own parser makes of a whole `fairseq-generate` command.

    Raises EvaluationError with its complaint, and for --quiet, which keeps the hypotheses from being written.
    """
    try:
        parsed = parse_flags(options.get_generation_parser(), command[1:])
    except FlagError as error:
        raise EvaluationError(f"fairseq-generate: {error}") from error
    if parsed.quiet:
        raise EvaluationError("fairseq-generate: --quiet leaves the translations out; drop it")
    return parsed


def run_generate(command: Sequence[str], name: str, lines: int, results: Path) -> Generated:
    """Print a `fairseq-generate` command, with --results-path added, on stderr, run it, and return its hypotheses in order.

    name and lines are the direction's and how many sentences it has; the folder results is made anew, and removed at the end.
    Raises EvaluationError, naming direction and line, for a sentence that is too long for the model or has no hypothesis.
    """
    from fairseq_cli import generate

    command = [*command, "--results-path", str(results)]
    parsed = parse_command(command)
    shutil.rmtree(results, ignore_errors=True)
    print(shlex.join(command), file=sys.stderr, flush=True)
    try:
        generate.main(parsed)
    except (Exception, SystemExit) as error:  # fairseq raises bare Exceptions
        raise EvaluationError(f"{name}: {_explain(error)}") from error
    gc.collect()  # a model in a reference cycle would share the device's memory with the next one
    output = results / f"generate-{parsed.gen_subset}.txt"
    found = parse_hypotheses(output, byte_pieces=_has_byte_pieces(Path(parsed.data) / f"dict.{parsed.target_lang}.txt"))
    generated = in_order(found, name, lines, may_skip=parsed.skip_invalid_size_inputs_valid_test)
    shutil.rmtree(results)
    return generated


def parse_hypotheses(output: Path, byte_pieces: bool = False) -> Dict[int, str]:
    """The best hypothesis of each sentence in fairseq-generate's output; with byte_pieces, `<0xC3><0xA4>` becomes ä."""
    found: Dict[int, str] = {}
    for line in read_lines(output):
        if match := HYPOTHESIS.fullmatch(line):
            found.setdefault(int(match[1]), _join_bytes(match[2]) if byte_pieces else match[2])  # with --nbest, the best comes first
    return found


def in_order(found: Dict[int, str], name: str, lines: int, may_skip: bool) -> Generated:
    """The hypotheses by line; with may_skip, those that fairseq left out as too long are empty.

    Raises EvaluationError for missing and for surplus ones.
    """
    missing = [i for i in range(lines) if i not in found]
    surplus = len(found) - (lines - len(missing))
    if surplus:
        raise EvaluationError(f"{name}: {surplus} more hypotheses than the {lines} references; prepare the data again")
    if missing and (len(missing) == lines or not may_skip):
        numbers = ", ".join(str(i + 1) for i in missing[:10]) + (", …" if len(missing) > 10 else "")
        raise EvaluationError(f"{name}: fairseq-generate gave no hypothesis for {len(missing)} of {lines} lines: {numbers}")
    return Generated([found.get(i, "") for i in range(lines)], missing)


def _join_bytes(text: str) -> str:
    """Turn runs of SentencePiece's byte pieces into the characters that they spell; --remove-bpe leaves them as they are."""
    return BYTES.sub(lambda run: bytes.fromhex(run[0].replace("<0x", "").replace(">", "")).decode("utf-8", errors="replace"), text)


def _has_byte_pieces(dictionary: Path) -> bool:
    return dictionary.is_file() and any(line.startswith("<0x00> ") for line in read_lines(dictionary))


def _explain(error: BaseException) -> str:
    if match := TOO_LONG.search(str(error)):
        line = int(match[1]) + 1
        return (
            f"line {line} has {match[2]} tokens (source, reference), but the model's longest is {match[3]}; with {SKIP_FLAG} "
            "such lines get an empty translation, and are counted"
        )
    return f"fairseq-generate failed: {type(error).__name__}: {error}"
