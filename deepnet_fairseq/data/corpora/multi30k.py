"""Multi30k (Elliott et al. 2016, 2017; Barrault et al. 2018): captions of 29,000 images.

They are in English, German, French and Czech. Each language is paired with the pivot, and the
others with each other for zero-shot tests. test_2016_flickr, 1,000 captions, is the test set of
all pairs. For research use.
"""

from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Dict, List, Optional

from deepnet_fairseq.data.bitext import SUPERVISED, ZERO_SHOT, part_of_test_set
from deepnet_fairseq.data.corpora.base import FileCorpus
from deepnet_fairseq.data.corpora.build import BuildContext, SplitFiles
from deepnet_fairseq.data.download import Downloads, RemoteFile
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair, pair_name, parse_pair, sort_pair

# The repository at the commit whose sizes and checksums these are, then as it is now.
ADDRESSES = tuple(
    f"https://raw.githubusercontent.com/multi30k/dataset/{version}/data/task1/raw/"
    for version in ("a3d2e0d26b56f3846f66a952536ffed4e401d05a", "master")
)
_TABLE = """
test_2016_flickr.cs   22572 200a4a74cc9560f051924abb9803be008d1908d77f747e9141aeb86dfd2797f1
test_2016_flickr.de   22890 9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8
test_2016_flickr.en   21077 611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9
test_2016_flickr.fr   22310 6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90
test_2017_flickr.de   21471 a2c89666db00c495cd8513b9d708d5a3acc205d7de312ef2bf5fb7ebc1540aee
test_2017_flickr.en   19138 76a444ee25172e72695cddb13ae4a3bda59430617be88e0bb46b60504f054074
test_2017_flickr.fr   20434 3ba671ceb2299f3304ffafefea7a833d08632fbaf0ba18546f8a2ec2391af496
test_2017_mscoco.de   10230 799e4854c25d601cb6cb6be29eabe5667734c61ace2f495e03e429031a0bc338
test_2017_mscoco.en    8844 aab300bfb4427697987e02cd0aacd44bfe8aa50456231b6474c08038bbed2b58
test_2017_mscoco.fr    9751 754f3072ba9f124569ba5258b32730fc1d214bbf8e0c6dfb2b74401676220db0
test_2018_flickr.cs   25181 7d0a9db904f94c554a8c58049a9f3a5357c27f46cc3d710d70cb0b4a2585b8c2
test_2018_flickr.de   26461 ddd0130c7d97482dc5197a02141dae8dd79f20f03586c480d675c09a32daf608
test_2018_flickr.en   23514 ef4f4844037d4c5dea75c9a8ed5fd78905967a26f67c255e230cc9780032654d
test_2018_flickr.fr   25321 fb2b83fcceb937a4f7e3e93c1c51c22aba92f1e342391e6b5ba392b16a920501
train.cs             593827 a65adb8b32e3bc664f21ecba7a6e7f6950fd1f405e135f7c312faabdb6255077
train.de             637044 726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6
train.en             568929 d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f
train.fr             604242 622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c
val.cs                22096 b63226e05c4bd5dd6a42897d74b86a1b9d2c31498252c572b1ea7f7996927fcc
val.de                24681 f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a
val.en                21650 14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28
val.fr                23001 ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9
"""
FILES: Dict[str, RemoteFile] = {
    name: RemoteFile(
        f"{name}.gz",
        tuple(f"{address}{name}.gz" for address in ADDRESSES),
        int(size),
        f"sha256:{digest}",
    )
    for name, size, digest in (line.split() for line in _TABLE.strip().splitlines())
}
LANGUAGES = ("cs", "de", "en", "fr")
SPLITS = {"train": "train", "dev": "val", "test": "test_2016_flickr"}
LATER_TESTS = ("test_2017_flickr", "test_2017_mscoco", "test_2018_flickr")


@dataclass
class Multi30kCorpus(FileCorpus):
    """What `corpus:` holds if its kind is multi30k."""

    languages: List[str] = field(default_factory=lambda: ["cs", "de", "fr"])  # without the pivot
    # Pairs that are only tested, such as [de-fr]; null = all pairs of the languages
    zero_shot: Optional[List[str]] = None
    # Further test sets, see LATER_TESTS; those of 2017 have no Czech
    tests: List[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        languages = [self.pivot, *self.languages]
        is_known = set(languages) <= set(LANGUAGES)
        if not self.languages or len(set(languages)) < len(languages) or not is_known:
            raise DataError(
                f"languages is {self.languages} and pivot {self.pivot!r}; "
                f"name some of {', '.join(LANGUAGES)}, each once"
            )
        for pair in self.zero_shot_pairs():
            unknown = [language for language in pair if language not in self.languages]
            if unknown:
                raise DataError(
                    f"zero_shot has {pair_name(pair)}, "
                    f"but {unknown[0]!r} is not one of the languages {self.languages}"
                )
        for key, names in (("zero_shot", self.zero_shot_pairs()), ("tests", self.tests)):
            if len(set(names)) < len(names):
                raise DataError(f"{key} is {getattr(self, key)}; name each once")
        unknown = [name for name in self.tests if name not in LATER_TESTS]
        if unknown:
            raise DataError(f"tests has {unknown[0]!r}; choose from {', '.join(LATER_TESTS)}")
        empty = [name for name, pairs in self.test_sets().items() if not pairs]
        if empty:
            raise DataError(f"tests has {empty[0]}, which none of the pairs is in; leave it out")

    def supervised_pairs(self) -> List[Pair]:
        return [sort_pair(self.pivot, language) for language in self.languages]

    def zero_shot_pairs(self) -> List[Pair]:
        if self.zero_shot is None:
            return [sort_pair(*pair) for pair in combinations(self.languages, 2)]
        return [parse_pair(name) for name in self.zero_shot]

    def test_sets(self) -> Dict[str, List[Pair]]:
        own = {name: _covered_pairs(name, self.all_pairs()) for name in self.tests}
        return {**own, **super().test_sets()}

    def fingerprint(self) -> Dict[str, Any]:
        published = {file.name: file.checksum for file in FILES.values()}
        return {**super().fingerprint(), "published": published}

    def split_files(self, context: BuildContext, folder: Path) -> List[SplitFiles]:
        requested = [
            (pair, SUPERVISED, split, name)
            for pair in self.supervised_pairs()
            for split, name in SPLITS.items()
        ]
        for pair in self.zero_shot_pairs():
            requested.append((pair, ZERO_SHOT, "test", SPLITS["test"]))
        for name in self.tests:
            for pair in _covered_pairs(name, self.all_pairs()):
                requested.append((pair, part_of_test_set(name), "test", name))
        return [
            SplitFiles(pair, part, split, _fetch(context.downloads, pair, name))
            for pair, part, split, name in requested
        ]


def _covered_pairs(test_set: str, pairs: List[Pair]) -> List[Pair]:
    return [pair for pair in pairs if all(f"{test_set}.{language}" in FILES for language in pair)]


def _fetch(downloads: Downloads, pair: Pair, name: str) -> Dict[str, List[Path]]:
    """Return both languages' files of what is published under a name."""
    return {language: [downloads.fetch(FILES[f"{name}.{language}"])] for language in pair}
