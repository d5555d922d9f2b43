"""Where sentences come from: one class per kind of corpus, which is its config and builds it."""

from typing import Dict, Type

from deepnet_fairseq.data.corpora.base import Corpus
from deepnet_fairseq.data.corpora.bitexts import BitextsCorpus
from deepnet_fairseq.data.corpora.cldr import CldrCorpus
from deepnet_fairseq.data.corpora.files import FilesCorpus
from deepnet_fairseq.data.corpora.iwslt14 import Iwslt14Corpus
from deepnet_fairseq.data.corpora.multi30k import Multi30kCorpus
from deepnet_fairseq.data.corpora.opus100 import Opus100Corpus
from deepnet_fairseq.data.corpora.wmt17 import Wmt17Corpus

# A config's corpus.kind -> its class
CORPORA: Dict[str, Type[Corpus]] = {
    "bitexts": BitextsCorpus,
    "cldr": CldrCorpus,
    "files": FilesCorpus,
    "iwslt14": Iwslt14Corpus,
    "multi30k": Multi30kCorpus,
    "opus100": Opus100Corpus,
    "wmt17": Wmt17Corpus,
}
