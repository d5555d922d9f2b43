"""The manifest: what the data were made from, the same bytes for the same inputs wherever they lie."""

import hashlib
import json
from pathlib import Path

import sentencepiece

from deepnet_fairseq.data.manifest import file_record, write_manifest


def test_the_same_inputs_give_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    manifests = []
    for folder in (tmp_path / "here", tmp_path / "there"):
        folder.mkdir()
        (folder / "train.de").write_text("Tag\n")
        corpus = {"kind": "files", "pairs": {"de-en": [str(folder / "train.de")]}, "sources": [file_record(folder / "train.de")]}
        manifests.append(write_manifest(folder, corpus, {"size": 300}, {"de-en": {"train": 1}}).read_bytes())
    assert manifests[0] == manifests[1]
    content = json.loads(manifests[0])
    assert content["corpus"]["pairs"] == {"de-en": ["train.de"]}
    assert content["tools"]["sentencepiece"] == sentencepiece.__version__
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
