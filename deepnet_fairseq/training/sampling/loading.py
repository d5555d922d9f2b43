"""The directions' corpora, opened by fairseq's own data manager, but without their sentence lengths in memory."""

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

from deepnet_fairseq.training.sampling.indexed import IndexedTokens, PrependedToken


class TrainingData(MultilingualDatasetManager):
    """What fairseq's multilingual_data_manager.py loads for the training subset; validation and test sets stay with the original."""

    def __init__(
        self, args: Namespace, lang_pairs: List[str], langs: List[str], dicts: Dict[str, Dictionary]
    ) -> None:
        super().__init__(args, lang_pairs, langs, dicts, sampling_method=None)
        self._open = WeakValueDictionary()

    def load(
        self, epoch: int, shard_epoch: int, combine: bool
    ) -> "OrderedDict[str, FairseqDataset]":
        """Return the datasets by direction, such as main:en-de; with several data folders, the shard that shard_epoch (from 1) has."""
        datasets, _ = self.load_split_datasets(
            self.args.train_subset, True, epoch, combine, shard_epoch=shard_epoch
        )
        return OrderedDict(datasets)

    def number_of_shards(self) -> Dict[str, int]:
        """Return, by direction, the number of data folders that hold a part of it."""
        return self.get_split_num_data_shards(self.args.train_subset)

    def examples_by_shard(self, combine: bool) -> List[List[int]]:
        """Return, by direction and shard, the number of examples: they are counted, where stock guesses those not loaded so far."""
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
        where = {
            name: param[name]
            for name in ("data_path", "split", "src", "src_dict", "tgt", "tgt_dict")
        }
        source, _, _ = self.load_lang_dataset(
            **where,
            combine=combine,
            dataset_impl=self.args.dataset_impl,
            upsample_primary=self.args.upsample_primary,
            max_source_positions=self.args.max_source_positions,
        )
        return len(source)

    def ratios(
        self, keys: List[str], totals: List[int], temperature: Optional[float]
    ) -> Optional[np.ndarray]:
        """Return the weights [number of directions], not normalised, by which directions are sampled, or None to take all examples once.

        totals are the numbers of examples over all shards. Raises ValueError, naming the flag, for a direction without a weight.
        """
        weights, flag = self.args.sampling_weights, "--sampling-weights"
        if self.args.sampling_weights_from_file:
            weights, flag = (
                load_sampling_weights(self.args.sampling_weights_from_file),
                "--sampling-weights-from-file",
            )
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
        local = indexed_dataset.get_indexed_dataset_to_local(path)
        if (impl or indexed_dataset.infer_dataset_impl(local)) != "mmap":
            return super().load_data(path, vdict, impl)
        dataset = self._open.get(local)
        if (
            dataset is None
        ):  # both directions of a pair read the same files: opened once, half the file descriptors
            dataset = self._open[local] = IndexedTokens(local)
        return dataset

    def load_langpair_dataset(self, *args: Any, **kwargs: Any) -> LanguagePairDataset:
        pair = super().load_langpair_dataset(*args, **kwargs)
        # Three copies of all lengths. Whoever needs lengths asks pair.src and pair.tgt; collating does not.
        pair.src_sizes = pair.tgt_sizes = pair.sizes = None
        return pair

    def src_dataset_tranform_func(
        self, src_lang: str, tgt_lang: str, dataset: Any, spec: Optional[str] = None
    ) -> Any:
        return _without_lengths(
            super().src_dataset_tranform_func(src_lang, tgt_lang, dataset, spec)
        )

    def tgt_dataset_tranform_func(
        self, source_lang: str, target_lang: str, dataset: Any, spec: Optional[str] = None
    ) -> Any:
        return _without_lengths(
            super().tgt_dataset_tranform_func(source_lang, target_lang, dataset, spec)
        )


def _without_lengths(dataset: Any) -> Any:
    return (
        PrependedToken(dataset.dataset, dataset.token)
        if isinstance(dataset, PrependTokenDataset)
        else dataset
    )


def load_equal_files_once(
    load_dictionary: Callable[[str], Dictionary],
) -> Callable[[str], Dictionary]:
    """Return load_dictionary, but giving one object for files of the same content.

    fairseq-preprocess writes the joined vocabulary once for every language, and stock reads each twice: 100 of 64,000 types take 0.9 GB.
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
