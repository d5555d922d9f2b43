"""Where sentences come from: `CORPORA` maps `corpus.kind` of a config to the kind's config dataclass and its builder."""

from deepnet_fairseq.data.corpora import bitexts, cldr, files, iwslt14, multi30k, opus100, wmt17

CORPORA = {
    "bitexts": (bitexts.BitextsConfig, bitexts.build),
    "cldr": (cldr.CldrConfig, cldr.build),
    "files": (files.FilesConfig, files.build),
    "iwslt14": (iwslt14.Iwslt14Config, iwslt14.build),
    "multi30k": (multi30k.Multi30kConfig, multi30k.build),
    "opus100": (opus100.Opus100Config, opus100.build),
    "wmt17": (wmt17.Wmt17Config, wmt17.build),
}
