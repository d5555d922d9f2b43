"""The parts of a config that are checked by hand: trained directions, batch size, fairseq flags."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional

from omegaconf import DictConfig, ListConfig

from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.config.yaml_file import section
from deepnet_fairseq.errors import FlagError, RecipeError
from deepnet_fairseq.languages import Pair

# Flags that follow from the rest of the config; another value would contradict it.
DERIVED_FLAGS = frozenset(
    (
        *("data", "user-dir", "task", "langs", "lang-pairs", "source-lang", "target-lang"),
        *("save-dir", "log-file", "path", "gen-subset", "results-path"),
        *("remove-bpe", "post-process"),
    )
)


def read_directions(path: Path, config: DictConfig, supervised: Iterable[Pair]) -> List[str]:
    """Return the trained directions: the config's, or every supervised pair both ways.

    Raises:
        RecipeError: A direction has no training text or is given twice.
    """
    possible = [name for a, b in sorted(supervised) for name in (f"{a}-{b}", f"{b}-{a}")]
    block = config.get("directions")
    if block is None:
        return possible
    chosen = list(block) if isinstance(block, ListConfig) else None
    if not chosen or len(set(map(str, chosen))) < len(chosen):
        raise RecipeError(
            f"{path}: directions is {block!r}; list each direction once, such as [en-de]"
        )
    for direction in chosen:
        if direction not in possible:
            raise RecipeError(
                f"{path}: directions has {direction!r}, but the corpus has training text only for "
                + ", ".join(possible[:20])
            )
    return [str(direction) for direction in chosen]


def read_tokens_per_update(path: Path, config: DictConfig) -> Optional[int]:
    """Return the config's tokens_per_update, or None. Raises RecipeError for a wrong value."""
    value = config.get("tokens_per_update")
    if value is not None and not _is_count(value):
        raise RecipeError(
            f"{path}: tokens_per_update is {value!r}; it must be a whole number of tokens, "
            "such as 524288"
        )
    return value


def check_batch(path: Path, tokens_per_update: Optional[int], training: Dict[str, Any]) -> None:
    """Check that tokens_per_update leaves --update-freq to follow from --max-tokens and the GPUs.

    Raises:
        RecipeError: `training` holds --update-freq, or no --max-tokens.
    """
    if tokens_per_update is None:
        return
    if training.get("update-freq") is not None:
        raise RecipeError(
            f"{path}: training.update-freq: follows from tokens_per_update and the number of GPUs; "
            "leave one out"
        )
    max_tokens = training.get("max-tokens")
    if not _is_count(max_tokens):
        raise RecipeError(
            f"{path}: training.max-tokens is {max_tokens!r}; with tokens_per_update it must say "
            "what fits on a GPU"
        )


def read_flags(path: Path, config: DictConfig, name: str) -> Dict[str, Any]:
    """Return a section of fairseq flags, spelled as on the command line but without the dashes.

    Raises:
        RecipeError: A flag is misspelled, follows from the rest of the config, or is a mapping.
    """
    block = section(path, config, name)
    for key, value in block.items():
        where = f"{path}: {name}.{key}"
        if not isinstance(key, str) or key.startswith("-") or "_" in key:
            spelling = str(key).lstrip("-").replace("_", "-")
            raise RecipeError(f"{where}: write the flag as {spelling!r}")
        if key in DERIVED_FLAGS:
            raise RecipeError(f"{where}: follows from the rest of the config; leave it out")
        if isinstance(value, dict):
            raise RecipeError(
                f"{where}: is a mapping; give a single value, or a string in fairseq's own notation"
            )
    return block


def check_flags(
    path: Path, name: str, given: Dict[str, Any], parser: ArgumentParser, command: List[str]
) -> Any:
    """Return the options that fairseq's parser reads from the command of a section.

    Args:
        path: The config.
        name: The section: training or decoding.
        given: The section's flags.
        parser: fairseq's parser of the command.
        command: The whole command.

    Raises:
        RecipeError: fairseq rejects the command, or the section sets a flag to false that takes a
            value.
    """
    try:
        args = parse_flags(parser, command[1:])
    except FlagError as error:
        raise RecipeError(f"{path}: {name}: {error}") from error
    known = parser._option_string_actions  # argparse has no public look-up
    for flag in (flag for flag, value in given.items() if value is False):
        if f"--{flag}" not in known:
            raise RecipeError(f"{path}: {name}.{flag}: fairseq has no such flag")
        if known[f"--{flag}"].nargs != 0:
            raise RecipeError(
                f"{path}: {name}.{flag}: takes a value; write 'False' in quotes, or null to leave "
                "it out"
            )
    return args


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
