"""The directions' corpora, opened by fairseq's data manager without sentence lengths in memory."""

import hashlib
from argparse import Namespace
from collections import OrderedDict
from typing import Any, Callable, Dict, List, Optional, Tuple
from weakref import WeakValueDictionary

import numpy as np
from fairseq.data import (
    Dictionary,
    FairseqDataset,
    LanguagePairDataset,
    PrependTokenDataset,
    indexed_dataset,
)
from fairseq.data.multilingual.multilingual_data_manager import (
    MultilingualDatasetManager,
    load_sampling_weights,
)
from fairseq.data.multilingual.sampling_method import temperature_sampling, uniform
from fairseq.file_io import PathManager

from deepnet_fairseq.training.sampling.mmap_dataset import LazyMMapDataset, LazyPrependTokenDataset


class TrainingDataManager(MultilingualDatasetManager):
    """Loads the training subset as fairseq's multilingual_data_manager.py does.

    Validation and test sets are loaded by the original.
    """

    def __init__(
        self, args: Namespace, lang_pairs: List[str], langs: List[str], dicts: Dict[str, Dictionary]
    ) -> None:
        super().__init__(args, lang_pairs, langs, dicts, sampling_method=None)
        self._opened = WeakValueDictionary()

    def load(
        self, epoch: int, shard_epoch: int, combine: bool
    ) -> "OrderedDict[str, FairseqDataset]":
        """Return the datasets by direction, such as main:en-de.

        If there are several data folders, they hold the shard of `shard_epoch`, counted from 1.
        """
        datasets, _ = self.load_split_datasets(
            self.args.train_subset, True, epoch, combine, shard_epoch=shard_epoch
        )
        return OrderedDict(datasets)

    def number_of_shards(self) -> Dict[str, int]:
        """Return the number of data folders that hold a part of each direction."""
        return self.get_split_num_data_shards(self.args.train_subset)

    def examples_by_shard(self, combine: bool) -> List[List[int]]:
        """Return the number of examples [direction][shard].

        They are counted; stock estimates those that are not loaded yet.
        """
        counts: Dict[str, List[int]] = {}
        shards = self.number_of_shards()
        for shard_epoch in range(1, max(shards.values()) + 1):
            for param in self.get_split_data_param_list(
                self.args.train_subset, shard_epoch, shard_epoch=shard_epoch
            ):
                if shard_epoch <= shards[param["key"]]:
                    counts.setdefault(param["key"], []).append(self._count(param, combine))
        return list(counts.values())

    def _count(self, param: Dict[str, Any], combine: bool) -> int:
        names = ("data_path", "split", "src", "src_dict", "tgt", "tgt_dict")
        source, _, _ = self.load_lang_dataset(
            **{name: param[name] for name in names},
            combine=combine,
            dataset_impl=self.args.dataset_impl,
            upsample_primary=self.args.upsample_primary,
            max_source_positions=self.args.max_source_positions,
        )
        return len(source)

    def ratios(
        self, keys: List[str], totals: List[int], temperature: Optional[float]
    ) -> Optional[np.ndarray]:
        """Return the weights [directions] by which directions are sampled.

        Args:
            keys: The directions.
            totals: Their numbers of examples, over all shards.
            temperature: For --sampling-method temperature.

        Returns:
            The weights, not normalized, or None to take all examples once.

        Raises:
            ValueError: A direction has no weight; names the flag.
        """
        weights, flag = self.args.sampling_weights, "--sampling-weights"
        if self.args.sampling_weights_from_file:
            weights = load_sampling_weights(self.args.sampling_weights_from_file)
            flag = "--sampling-weights-from-file"
        if weights:
            if missing := [key for key in keys if key not in weights]:
                raise ValueError(
                    f"{flag} has no weight for {', '.join(missing)}; its keys look like {keys[0]!r}"
                )
            return np.array([weights[key] for key in keys])
        if self.args.sampling_method == "uniform":
            return np.array(uniform(totals))
        if self.args.sampling_method == "temperature":
            return np.array(temperature_sampling(totals, temperature))
        return None

    @property
    def shares_collater(self) -> bool:
        """Whether a batch of several directions can be collated as if it were of one."""
        return self._shared_collater()

    # What follows overrides steps of load_split_datasets.

    def load_data(self, path: str, vdict: Dictionary, impl: Optional[str]) -> Any:
        """Open a memory-mapped file once, lazily; load others as stock does."""
        local = indexed_dataset.get_indexed_dataset_to_local(path)
        if (impl or indexed_dataset.infer_dataset_impl(local)) != "mmap":
            return super().load_data(path, vdict, impl)
        dataset = self._opened.get(local)
        # Both directions of a pair read the same files: opened once, half the file descriptors.
        if dataset is None:
            dataset = self._opened[local] = LazyMMapDataset(local)
        return dataset

    def load_langpair_dataset(self, *args: Any, **kwargs: Any) -> LanguagePairDataset:
        """Return stock's data set of a direction without its lengths."""
        pair = super().load_langpair_dataset(*args, **kwargs)
        # Three copies of all lengths. pair.src and pair.tgt have them; collating needs none.
        pair.src_sizes = pair.tgt_sizes = pair.sizes = None
        return pair

    def src_dataset_tranform_func(
        self, src_lang: str, tgt_lang: str, dataset: Any, spec: Optional[str] = None
    ) -> Any:
        """Return the sources with their language token."""
        return _without_lengths(
            super().src_dataset_tranform_func(src_lang, tgt_lang, dataset, spec)
        )

    def tgt_dataset_tranform_func(
        self, source_lang: str, target_lang: str, dataset: Any, spec: Optional[str] = None
    ) -> Any:
        """Return the targets with their language token."""
        return _without_lengths(
            super().tgt_dataset_tranform_func(source_lang, target_lang, dataset, spec)
        )


def _without_lengths(dataset: Any) -> Any:
    if isinstance(dataset, PrependTokenDataset):
        return LazyPrependTokenDataset(dataset.dataset, dataset.token)
    return dataset


def load_equal_files_once(
    load_dictionary: Callable[[str], Dictionary],
) -> Callable[[str], Dictionary]:
    """Return `load_dictionary`, but with one object for files of the same content.

    fairseq-preprocess writes the joined vocabulary once per language, and stock reads each file
    twice: 100 files of 64,000 types take 0.9 GB.
    """
    loaded: Dict[Tuple[int, bytes], Dictionary] = {}

    def load(path: str) -> Dictionary:
        with open(PathManager.get_local_path(path), "rb") as stream:
            content = stream.read()
        key = (len(content), hashlib.sha256(content).digest())
        if key not in loaded:
            loaded[key] = load_dictionary(path)
        return loaded[key]

    return load
