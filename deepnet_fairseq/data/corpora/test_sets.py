"""Published sets that any corpus can be tested on beside its own: what `further_tests:` of a corpus holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from deepnet_fairseq.data.corpora.build import Source
from deepnet_fairseq.data.corpora.flores200 import Flores200Config
from deepnet_fairseq.data.corpora.published_test_set import PublishedTestSet
from deepnet_fairseq.data.corpora.ted import TedConfig
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.languages import Pair


@dataclass
class FurtherTests:
    """The sets that are asked for: `{flores200: {}}` takes FLORES-200 for the corpus's pairs."""

    flores200: Optional[Flores200Config] = None
    ted: Optional[TedConfig] = None

    def chosen(self) -> Dict[str, PublishedTestSet]:
        """The sets by name."""
        return {name: test_set for name, test_set in vars(self).items() if test_set is not None}

    def pairs(self, corpus_pairs: Sequence[Pair]) -> Dict[str, List[Pair]]:
        """The pairs of each set, from a corpus's supervised and zero-shot ones. Raises DataError for a language that a set lacks."""
        return {
            name: test_set.chosen_pairs(corpus_pairs) for name, test_set in self.chosen().items()
        }

    def sources(
        self, corpus_pairs: Sequence[Pair], downloads: Downloads, folder: Path
    ) -> List[Source]:
        """The files of all sets; the folder is for what is unpacked. Raises DataError for what cannot be had."""
        pairs = self.pairs(corpus_pairs)
        return [
            source
            for name, test_set in self.chosen().items()
            for source in test_set.sources(pairs[name], downloads, folder)
        ]

    def fingerprint(self) -> Dict[str, Any]:
        """What the sets depend on."""
        return {name: test_set.fingerprint() for name, test_set in self.chosen().items()}
