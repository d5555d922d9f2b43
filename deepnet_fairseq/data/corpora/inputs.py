"""What the builder of a corpus is given beside the corpus's own config."""

from dataclasses import dataclass
from typing import Dict

from deepnet_fairseq.data.cleaning import CleaningConfig
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.parallel import Jobs

# What a builder returns: part and pair, such as supervised/de-en -> split -> a SplitCounts as a dict.
Counts = Dict[str, Dict[str, Dict]]


@dataclass(frozen=True)
class Inputs:
    """Published files, the filters of training text, and how work over many pairs is spread."""

    downloads: Downloads
    cleaning: CleaningConfig
    jobs: Jobs
