"""Small stand-ins for published corpora, in their real layout, on a local web server."""

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import urlparse

import pytest
from fairseq.data.indexed_dataset import MMapIndexedDataset
from sacrebleu.dataset import DATASETS

from deepnet_fairseq.commands import prepare
from deepnet_fairseq.data.bitext import SUPERVISED, corpus_file
from deepnet_fairseq.data.corpora.build import BuildContext
from deepnet_fairseq.data.download import Downloads, RemoteFile
from deepnet_fairseq.data.filters import CleaningConfig
from deepnet_fairseq.io import read_lines
from deepnet_fairseq.languages import Pair, pair_name, parse_direction
from deepnet_fairseq.parallel import Jobs
from support.web_server import Answer, WebServer

Sentences = Sequence[Tuple[str, str]]  # in the pair's order


class Published:
    """Files that the server offers in place of their publisher; `bodies` by local file name."""

    def __init__(self, server: WebServer) -> None:
        self.server = server
        self.bodies: Dict[str, bytes] = {}
        self._addresses: Dict[str, str] = {}

    def add(self, file: RemoteFile, body: bytes) -> RemoteFile:
        """Return the file with another content and address.

        It has a size and a checksum if the published one has them.
        """
        address = urlparse(file.urls[0]).path.lstrip("/")
        kind = file.checksum.partition(":")[0]
        checksum = f"{kind}:{hashlib.new(kind, body).hexdigest()}" if kind else ""
        self.bodies[file.name], self._addresses[file.name] = body, address
        url = self.server.add(address, Answer(body))
        return replace(
            file, urls=(url,), size=None if file.size is None else len(body), checksum=checksum
        )

    def add_news(self, monkeypatch: pytest.MonkeyPatch, name: str, body: bytes) -> None:
        """Do the same for the archive of a WMT test set, in sacreBLEU's definition."""
        dataset = DATASETS[name]
        file_name = f"{name.replace('/', '_')}.{dataset.data[0].rpartition('/')[2]}"
        file = self.add(
            RemoteFile(file_name, tuple(dataset.data), checksum=f"md5:{dataset.md5[0]}"), body
        )
        monkeypatch.setattr(dataset, "data", list(file.urls))
        monkeypatch.setattr(dataset, "md5", [file.checksum.removeprefix("md5:")])

    def spoil(self, name: str) -> None:
        """Change the last byte of what the server sends."""
        answer = self.server.answers[self._addresses[name]]
        answer.body = answer.body[:-1] + bytes([answer.body[-1] ^ 1])

    def go_offline(self, folder: Path) -> Path:
        """Move all files from the server into a folder, and return the folder."""
        folder.mkdir()
        for name, body in self.bodies.items():
            (folder / name).write_bytes(body)
        self.server.answers.clear()
        return folder

    def records(self) -> List[Dict[str, Any]]:
        """Return the record of each fetched file, sorted by name."""
        return [
            {
                "name": name,
                "address": self.server.url(self._addresses[name]),
                "size": len(body),
                "sha256": hashlib.sha256(body).hexdigest(),
            }
            for name, body in sorted(self.bodies.items())
        ]


def text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def sides(stem: str, pair: Pair, sentences: Sentences) -> Dict[str, bytes]:
    """Return a pair's two files; their names are the stem and the language."""
    return {
        f"{stem}.{language}": text(pair_of[side] for pair_of in sentences)
        for side, language in enumerate(pair)
    }


def tar_gz(members: Mapping[str, bytes], prefix: str = "") -> bytes:
    """Return a gzipped tar archive that also has folders as members, as GNU tar does."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        folders = {
            str(folder): None
            for name in members
            for folder in reversed(Path(prefix + name).parents[:-1])
        }
        for folder in folders:
            info = tarfile.TarInfo(folder)
            info.type = tarfile.DIRTYPE
            tar.addfile(info)
        for name, content in members.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def opus100_members(
    texts: Mapping[Tuple[Pair, str], Sentences], part: str = SUPERVISED
) -> Dict[str, bytes]:
    """Return OPUS-100's files: opus-100-corpus/v1.0/supervised/de-en/opus.de-en-train.de."""
    members: Dict[str, bytes] = {}
    for (pair, split), sentences in texts.items():
        members |= sides(
            f"opus-100-corpus/v1.0/{part}/{pair_name(pair)}/opus.{pair_name(pair)}-{split}",
            pair,
            sentences,
        )
    return members


def sgml(kind: str, language: str, lines: Sequence[str]) -> bytes:
    """Return a test set as WMT publishes it: two documents in SGML; kind: srcset or refset."""
    half = len(lines) // 2
    content = [f'<{kind} setid="newstest" srclang="any" trglang="{language}">']
    for name, part in (("first", lines[:half]), ("second", lines[half:])):
        content += [f'<doc sysid="ref" docid="{name}" genre="news" origlang="en">', "<p>"]
        content += [f'<seg id="{number}">{line}</seg>' for number, line in enumerate(part, start=1)]
        content += ["</p>", "</doc>"]
    return text([*content, f"</{kind}>"])


def iwslt_xml(language: str, lines: Sequence[str]) -> bytes:
    """Return a test set as IWSLT publishes it."""
    head = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<mteval>",
        f'<refset setid="iwslt14" srclang="de" trglang="{language}">',
    ]
    talk = [
        '<doc docid="1" genre="lectures">',
        "<keywords>talks & more</keywords>",
        "<title>A talk</title>",
    ]
    content = [f'<seg id="{number}"> {line} </seg>' for number, line in enumerate(lines, start=1)]
    return text([*head, *talk, *content, "</doc>", "</refset>", "</mteval>"])


def iwslt_tags(language: str, talks: Sequence[Tuple[str, str, Sequence[str]]]) -> bytes:
    """Return training text as IWSLT publishes it; talks have title, description, sentences."""
    lines: List[str] = []
    for number, (title, description, sentences) in enumerate(talks, start=1):
        lines += [
            f"<url>http://www.ted.com/talks/{language}/{number}</url>",
            "<keywords>talks, science</keywords>",
            "<speaker>A. Speaker</speaker>",
        ]
        lines += [
            f"<talkid>{number}</talkid>",
            f"<title>{title}</title>",
            f"<description>{description}</description>",
            *sentences,
        ]
        lines += [f'<reviewer href="x">{language}</reviewer>'] * (language == "de") + [
            '<translator href="y">y</translator>'
        ] * (language == "de")
    return text(lines)


def gz(lines: Iterable[str]) -> bytes:
    return gzip.compress(text(lines), mtime=0)


def flores_members(lines: Mapping[str, Sequence[str]], split: str) -> Dict[str, bytes]:
    """Return FLORES-200's files: flores200_dataset/devtest/deu_Latn.devtest."""
    return {
        f"flores200_dataset/{split}/{code}.{split}": text(content)
        for code, content in lines.items()
    }


def ted_table(columns: Mapping[str, Sequence[str]]) -> bytes:
    """Return the table of TED talks: a row per sentence, a column per language."""
    rows = [["talk_name", *columns]]
    rows += [
        [f"talk_{number}", *cells]
        for number, cells in enumerate(zip(*columns.values(), strict=True))
    ]
    return text("\t".join(row) for row in rows)


def make_context(
    folder: Path, source_dir: Optional[Path] = None, jobs: Optional[Jobs] = None, **cleaning: Any
) -> BuildContext:
    """Return what a corpus is built with; downloads go into the folder."""
    return BuildContext(
        Downloads(folder / "downloads", source_dir), CleaningConfig(**cleaning), jobs or Jobs()
    )


def read_pair(root: Path, pair: Pair, split: str, part: str = SUPERVISED) -> List[Tuple[str, str]]:
    """Return the sentences of a split of a finished corpus."""
    left, right = (
        list(read_lines(corpus_file(root, pair, split, language, part))) for language in pair
    )
    return list(zip(left, right, strict=True))


def corpus_files(root: Path) -> Dict[str, bytes]:
    """Return the files of a finished corpus, without its metadata and hidden files."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and path.parent != root)
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in files
        if not str(path.relative_to(root)).startswith(".")
    }


def counted(read: int, kept: int, **dropped: int) -> Dict[str, Any]:
    """Return the counts of a split; names of filters have _ for spaces."""
    return {
        "read": read,
        "kept": kept,
        "dropped": {name.replace("_", " "): number for name, number in dropped.items()},
    }


def counts_of(counts: Mapping[str, Mapping[str, Mapping]], name: str) -> Dict[str, Dict[str, Any]]:
    """Return the counts of a pair's splits, without those of normalization."""
    return {
        split: {key: entry[key] for key in ("read", "kept", "dropped")}
        for split, entry in counts[name].items()
    }


def prepare_all(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    corpus: str,
    cleaning: str = "{}",
    arguments: Sequence[str] = (),
) -> Dict[str, Any]:
    """Run prepare.sh's command on a config with this corpus; return the manifest.

    The manifest is checked against the cleaning report and the binary data.
    """
    monkeypatch.chdir(folder)
    sections = [
        f"corpus: {corpus}",
        f"cleaning: {cleaning}",
        "vocabulary: {size: 2000, hard_limit: false}",
        "training: {arch: deepnet_transformer}",
    ]
    (folder / "experiment.yaml").write_text("\n".join(sections), encoding="utf-8")
    assert prepare.main(["experiment.yaml", *arguments]) == 0
    work = folder / "runs/experiment"
    manifest = json.loads((work / "manifest.json").read_text(encoding="utf-8"))
    report = [
        line.split("\t")
        for line in (work / "cleaning.tsv").read_text(encoding="utf-8").splitlines()
    ]
    counts = manifest["corpus"]["counts"]
    rows = {
        (row[0], row[1]): dict(zip(report[0][2:], map(int, row[2:]), strict=True))
        for row in report[1:-1]
    }
    assert rows.keys() == {(name, split) for name, splits in counts.items() for split in splits}
    for (name, split), row in rows.items():
        entry = counts[name][split]
        assert {"read": entry["read"], "kept": entry["kept"], **entry["dropped"]} == {
            key: value for key, value in row.items() if value or key in ("read", "kept")
        }
        part, _, pair = name.rpartition("/")
        subset = (
            part.removeprefix("test-sets/")
            if part.startswith("test-sets/")
            else {"dev": "valid"}.get(split, split)
        )
        for language in parse_direction(pair):
            assert (
                len(
                    MMapIndexedDataset.Index(str(work / f"data-bin/{subset}.{pair}.{language}.idx"))
                )
                == entry["kept"]
            )
    return manifest
