"""The manifest: what data were made from, with the same bytes for the same inputs in any place."""

import hashlib
import json
from pathlib import Path

import sentencepiece

from deepnet_fairseq.data.manifest import (
    file_record,
    tool_versions,
    write_cleaning_report,
    write_manifest,
)


def test_the_same_inputs_give_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    manifests = []
    for folder in (tmp_path / "here", tmp_path / "there"):
        folder.mkdir()
        (folder / "train.de").write_text("Tag\n")
        corpus = {
            "kind": "files",
            "pairs": {"de-en": [str(folder / "train.de")]},
            "sources": [file_record(folder / "train.de")],
        }
        manifests.append(
            write_manifest(
                folder, corpus, {"size": 300}, {"de-en": {"train": 1}}, {"corpus": tool_versions()}
            ).read_bytes()
        )
    assert manifests[0] == manifests[1]
    content = json.loads(manifests[0])
    assert content["corpus"]["pairs"] == {"de-en": ["train.de"]}
    assert content["tools"]["corpus"]["sentencepiece"] == sentencepiece.__version__
    assert [path.name for path in (tmp_path / "here").iterdir() if path.suffix == ".partial"] == []


def test_a_source_is_known_by_its_name_size_and_checksum(tmp_path: Path) -> None:
    content = b"Tag\n" * 400000  # more than one block
    (tmp_path / "train.de").write_bytes(content)
    assert file_record(tmp_path / "train.de", "https://example.org/train.de") == {
        "name": "train.de",
        "address": "https://example.org/train.de",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_the_cleaning_report_has_a_row_per_split_and_a_column_per_filter(tmp_path: Path) -> None:
    counts = {
        "supervised/de-en": {
            "train": {
                "read": 9,
                "kept": 5,
                "dropped": {"repeated": 1, "in dev or test": 3},
                "changed": {"spaces": 2},
                "notes": [],
            },
            "dev": {"read": 2, "kept": 1, "dropped": {"in test": 1}, "changed": {}, "notes": []},
        },
        "supervised/en-fr": {
            "train": {"read": 4, "kept": 2, "dropped": {"repeated": 2}, "changed": {}, "notes": []}
        },
    }
    rows = [
        line.split("\t")
        for line in write_cleaning_report(tmp_path, counts).read_text(encoding="utf-8").splitlines()
    ]
    assert rows == [
        ["pair", "split", "read", "kept", "in dev or test", "in test", "repeated"],
        ["supervised/de-en", "train", "9", "5", "3", "0", "1"],
        ["supervised/de-en", "dev", "2", "1", "0", "1", "0"],
        ["supervised/en-fr", "train", "4", "2", "0", "0", "2"],
        ["all", "train", "13", "7", "3", "0", "3"],
    ]
