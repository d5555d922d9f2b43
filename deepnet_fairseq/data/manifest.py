"""What prepared data were made from: sources with checksums, filters, counts, vocabulary, versions. The same inputs give the same bytes."""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Dict, List

from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import sha256_of
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
    """Write manifest.json into the folder, whole or not at all; return its path. It holds no date, and no path of this machine.

    Args: tools: by step, the versions that it was made with.
    """
    content = {
        "corpus": portable(corpus),
        "vocabulary": portable(vocabulary),
        "lines": lines,
        "tools": tools,
    }
    return _write_if_new(
        folder / MANIFEST_NAME,
        json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n",
    )


def read_training_pairs(path: Path) -> Dict[Pair, int]:
    """Return the number of training sentences of each language pair in a manifest.

    Raises:
        DataError: the file is missing or broken.
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
    """Write cleaning.tsv into the folder: what became of each pair and split, a column for each filter, and the sum of all training text.

    Args: counts: by part and pair, then by split, a SplitCounts as a dict.
    """
    rows = [
        (name, split, found) for name, splits in counts.items() for split, found in splits.items()
    ]
    reasons = sorted({reason for _, _, found in rows for reason in found["dropped"]})
    table = [["pair", "split", "read", "kept", *reasons]]
    table += [[name, split, *map(str, _numbers(found, reasons))] for name, split, found in rows]
    train = [_numbers(found, reasons) for _, split, found in rows if split == "train"]
    table.append(["all", "train", *(str(sum(column)) for column in zip(*train, strict=True))])
    return _write_if_new(folder / REPORT_NAME, "".join("\t".join(row) + "\n" for row in table))


def _numbers(found: Dict[str, Any], reasons: List[str]) -> List[int]:
    return [found["read"], found["kept"], *(found["dropped"].get(reason, 0) for reason in reasons)]


def _write_if_new(path: Path, text: str) -> Path:
    """Write a file whole or not at all, unless it is there already."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        beside = path.with_name(path.name + ".partial")
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    return path


def tool_versions() -> Dict[str, str]:
    """The versions of everything that has a say in the bytes."""
    found = {"python": platform.python_version(), "unicode": _unicode_version()}
    for name in TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def file_record(path: Path, address: str = "") -> Dict[str, Any]:
    """Name, address, size in bytes and SHA-256 of a file that text was read from."""
    return {
        "name": path.name,
        "address": address,
        "size": path.stat().st_size,
        "sha256": sha256_of(path),
    }


def portable(value: Any) -> Any:
    """The value with absolute paths cut down to file names: where things lie on this machine doesn't matter."""
    if isinstance(value, dict):
        return {key: portable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [portable(part) for part in value]
    return Path(value).name if isinstance(value, str) and os.path.isabs(value) else value


def _unicode_version() -> str:
    import unicodedata

    return unicodedata.unidata_version
