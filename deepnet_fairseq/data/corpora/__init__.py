"""Where sentences come from: `CORPORA` maps `corpus.kind` of a config to the kind's config dataclass and its builder."""

from deepnet_fairseq.data.corpora import cldr, files

CORPORA = {
    "cldr": (cldr.CldrConfig, cldr.build),
    "files": (files.FilesConfig, files.build),
}
