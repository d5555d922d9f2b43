"""The manifest of prepared data: sources with checksums, filters, counts, vocabulary, versions.

The same inputs give the same bytes.
"""

import json
import os
import platform
import unicodedata
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Dict, List

from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import sha256_of, write_text
from deepnet_fairseq.languages import Pair, parse_pair

MANIFEST_NAME = "manifest.json"
REPORT_NAME = "cleaning.tsv"
TOOLS = (
    "deepnet_fairseq",
    "fairseq",
    "sentencepiece",
    "babel",
    "py3langid",
    "sacremoses",
    "sacrebleu",
    "numpy",
)


def write_manifest(
    folder: Path,
    corpus: Dict[str, Any],
    vocabulary: Dict[str, Any],
    lines: Dict[str, Dict[str, int]],
    tools: Dict[str, Dict[str, str]],
) -> Path:
    """Write manifest.json, which contains no date and no path of this machine.

    Args:
        folder: Where the manifest goes.
        corpus: The corpus's inputs, counts and sources.
        vocabulary: The vocabulary's config, model and size.
        lines: Lines by pair and split.
        tools: The versions that each stage was built with.

    Returns:
        The manifest's path.
    """
    content = {
        "corpus": portable(corpus),
        "vocabulary": portable(vocabulary),
        "lines": lines,
        "tools": tools,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    return _write_if_changed(folder / MANIFEST_NAME, text)


def read_training_pairs(path: Path) -> Dict[Pair, int]:
    """Return the number of training sentences of each language pair in a manifest.

    Raises:
        DataError: The file is missing or broken.
    """
    try:
        lines = json.loads(path.read_text(encoding="utf-8"))["lines"]
        return {
            parse_pair(name): int(counts["train"])
            for name, counts in lines.items()
            if "train" in counts
        }
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DataError(f"{path} is missing or broken") from error


def write_cleaning_report(folder: Path, counts: Dict[str, Dict[str, Dict[str, Any]]]) -> Path:
    """Write cleaning.tsv: a row per pair and split, a column per filter, and a row of totals.

    Args:
        folder: Where the report goes.
        counts: A SplitCounts as a dict, by part and pair, then by split.

    Returns:
        The report's path.
    """
    rows = [(name, split, c) for name, splits in counts.items() for split, c in splits.items()]
    reasons = sorted({reason for _, _, split_counts in rows for reason in split_counts["dropped"]})

    def numbers(split_counts: Dict[str, Any]) -> List[int]:
        dropped = split_counts["dropped"]
        return [
            split_counts["read"],
            split_counts["kept"],
            *(dropped.get(reason, 0) for reason in reasons),
        ]

    table = [["pair", "split", "read", "kept", *reasons]]
    table += [[name, split, *map(str, numbers(c))] for name, split, c in rows]
    train = [numbers(c) for _, split, c in rows if split == "train"]
    table.append(["all", "train", *(str(sum(column)) for column in zip(*train, strict=True))])
    text = "".join("\t".join(row) + "\n" for row in table)
    return _write_if_changed(folder / REPORT_NAME, text)


def _write_if_changed(path: Path, text: str) -> Path:
    """Write the text, unless the file has it already: its time of change then stays as well."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
    return path


def tool_versions() -> Dict[str, str]:
    """Return the versions of everything that influences the bytes."""
    versions = {"python": platform.python_version(), "unicode": unicodedata.unidata_version}
    for name in TOOLS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def file_record(path: Path, address: str = "") -> Dict[str, Any]:
    """Return the name, address, size in bytes and SHA-256 of a file that text was read from."""
    return {
        "name": path.name,
        "address": address,
        "size": path.stat().st_size,
        "sha256": sha256_of(path),
    }


def portable(value: Any) -> Any:
    """Replace absolute paths in a value by file names, as they differ between machines."""
    if isinstance(value, dict):
        return {key: portable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [portable(part) for part in value]
    return Path(value).name if isinstance(value, str) and os.path.isabs(value) else value
