"""`--task translation_multi_deepnet`: translation_multi_simple_epoch for 100 million examples.

The epochs have the same examples and batches in the same order. Dictionaries, validation,
generation and checkpoints are those of the original task, and each task resumes from the other's
checkpoints.
"""

from argparse import ArgumentParser, Namespace
from typing import Any, Dict, List, Optional

import numpy as np
from fairseq.data import Dictionary, FairseqDataset, iterators
from fairseq.data.multilingual.multilingual_data_manager import MultilingualDatasetManager
from fairseq.tasks import register_task
from fairseq.tasks.translation_multi_simple_epoch import TranslationMultiSimpleEpochTask

from deepnet_fairseq.training.diagnostics.monitor import add_flags, build_monitor
from deepnet_fairseq.training.sampling.batches import Batches, EpochBatches
from deepnet_fairseq.training.sampling.dataset import (
    EpochBuilder,
    MultilingualDataset,
    make_limits,
)
from deepnet_fairseq.training.sampling.loading import TrainingDataManager, load_equal_files_once
from deepnet_fairseq.training.sampling.virtual_epochs import (
    CorpusSample,
    TemperatureSchedule,
    VirtualEpochs,
)
from deepnet_fairseq.training.validation import skip_missing_directions


@register_task("translation_multi_deepnet")
class TranslationMultiDeepNetTask(TranslationMultiSimpleEpochTask):
    """Stock's task, with epochs of the training subset set up in little memory.

    Raises:
        ValueError: A flag is not supported or would be ignored.
    """

    @staticmethod
    def add_args(parser: ArgumentParser) -> None:
        """Add stock's flags, the temperature schedule and those of the diagnostics."""
        TranslationMultiSimpleEpochTask.add_args(parser)
        parser.add_argument(
            "--sampling-temperature-schedule",
            metavar="EPOCH:T,…",
            help="sampling temperatures that change during the training: 1:5,10:2.5,20:1 means 5 "
            "in epochs 1 to 9, 2.5 in 10 to 19, then 1; replaces --sampling-temperature, requires "
            "--sampling-method temperature; --virtual-data-size or --virtual-epoch-size sets the "
            "number of examples per epoch",
        )
        add_flags(parser)

    @classmethod
    def setup_task(cls, args: Namespace, **kwargs: Any) -> "TranslationMultiDeepNetTask":
        """Load the dictionaries, equal ones once, and return the task."""
        load = load_equal_files_once(cls.load_dictionary)
        langs, dicts, training = MultilingualDatasetManager.prepare(load, args, **kwargs)
        return cls(args, langs, dicts, training)

    def __init__(
        self, args: Namespace, langs: List[str], dicts: Dict[str, Dictionary], training: bool
    ) -> None:
        super().__init__(args, langs, dicts, training)
        self._epochs: Optional[VirtualEpochs] = None
        self._loaded: Optional[CorpusSample] = None
        self._builder: Optional[EpochBuilder] = None
        if training:
            self._schedule = check_sampling(args)
            self._data = TrainingDataManager(args, self.lang_pairs, langs, dicts)
        self._monitor = build_monitor(args) if training else None

    def train_step(
        self,
        sample: Any,
        model: Any,
        criterion: Any,
        optimizer: Any,
        update_num: int,
        ignore_grad: bool = False,
    ) -> Any:
        """Train on a batch as stock does; the monitor sees it first."""
        if self._monitor is not None:
            self._monitor.begin(sample, self.source_dictionary)
        return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)

    def optimizer_step(self, optimizer: Any, model: Any, update_num: int) -> None:
        """Take an optimizer step, which the monitor measures if it is due."""
        if self._monitor is None:
            super().optimizer_step(optimizer, model, update_num)
        else:
            self._monitor.step(optimizer, model, update_num + 1)

    def has_sharded_data(self, split: str) -> bool:
        """Return whether the training subset has several data folders."""
        # fairseq-train asks for "train" whatever --train-subset is, and would never load the second
        # shard.
        subset = getattr(self.args, "train_subset", None)
        return self.training and split in ("train", subset) and self._data.has_sharded_data(subset)

    def load_dataset(
        self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any
    ) -> None:
        """Load a split; of the training subset, the shards that the epoch reads."""
        if not self.training:
            super().load_dataset(split, epoch=epoch, combine=combine, **kwargs)
            return
        if split != getattr(self.args, "train_subset", None):
            with skip_missing_directions(split, self.data_manager, self.args):
                super().load_dataset(split, epoch=epoch, combine=combine, **kwargs)
            return
        if self._epochs is None:
            self._epochs = self._plan(combine)
        sample = self._epochs.sample_of(epoch)
        if self._loaded is None or self._shards(sample) != self._shards(self._loaded):
            self.datasets.pop(split, None)
            datasets = self._data.load(epoch, sample.number, combine)
            dataset = MultilingualDataset(datasets, split, self._data.shares_collater)
            self._builder = EpochBuilder(dataset, self.args.virtual_epoch_size is not None)
            self.datasets[split], self._loaded = dataset, sample

    def _plan(self, combine: bool) -> VirtualEpochs:
        examples = self._data.examples_by_shard(combine)
        keys, totals = list(self._data.number_of_shards()), [sum(shards) for shards in examples]

        def ratios_at(epoch: int) -> Optional[np.ndarray]:
            return self._data.ratios(keys, totals, self._schedule.at(epoch))

        if ratios_at(1) is None and self.args.virtual_data_size is not None:
            raise ValueError(
                "--virtual-data-size needs --sampling-method uniform or temperature, "
                "or --sampling-weights"
            )
        return VirtualEpochs(
            examples,
            ratios_at,
            self._schedule.next_change,
            self.args.virtual_data_size,
            self.args.virtual_epoch_size,
        )

    def _shards(self, sample: CorpusSample) -> List[int]:
        return [(sample.number - 1) % shards for shards in self._data.number_of_shards().values()]

    def _build(self, epoch: int, **limits: Any) -> Batches:
        sample = self._epochs.sample_of(epoch)
        if self._shards(sample) != self._shards(self._loaded):
            raise RuntimeError(
                f"epoch {epoch} reads other data folders than those loaded; "
                "call load_dataset for it first"
            )
        return self._builder.build(sample, epoch, **limits)

    def get_batch_iterator(
        self,
        dataset: FairseqDataset,
        max_tokens: Optional[int] = None,
        max_sentences: Optional[int] = None,
        max_positions: Any = None,
        ignore_invalid_inputs: bool = False,
        required_batch_size_multiple: int = 1,
        seed: int = 1,
        num_shards: int = 1,
        shard_id: int = 0,
        num_workers: int = 0,
        epoch: int = 1,
        data_buffer_size: int = 0,
        grouped_shuffling: bool = False,
        **kwargs: Any,
    ) -> iterators.EpochBatchIterating:
        """Return stock's iterator over a data set, or ours over the training subset."""
        limits = make_limits(max_positions, max_tokens, max_sentences, required_batch_size_multiple)
        shared = {
            "seed": seed,
            "num_shards": num_shards,
            "shard_id": shard_id,
            "num_workers": num_workers,
            "epoch": epoch,
        }
        if not isinstance(dataset, MultilingualDataset):
            return super().get_batch_iterator(
                dataset,
                max_tokens,
                max_sentences,
                max_positions,
                ignore_invalid_inputs,
                required_batch_size_multiple,
                data_buffer_size=data_buffer_size,
                grouped_shuffling=grouped_shuffling,
                **shared,
                **kwargs,
            )
        # Of kwargs, fairseq-train does skip_remainder_batch itself, and the others are about
        # iterators that are kept.
        return EpochBatches(
            dataset,
            lambda e: self._build(e, limits=limits, seed=seed, skip_too_long=ignore_invalid_inputs),
            buffer_size=data_buffer_size,
            grouped_shuffling=grouped_shuffling,
            **shared,
        )


def check_sampling(args: Namespace) -> TemperatureSchedule:
    """Check the flags of the sampling and return its temperatures.

    Raises:
        ValueError: A flag is not supported or would be ignored; names it.
    """
    if args.sampling_method == "RoundRobin":
        raise ValueError(
            "--sampling-method RoundRobin takes every example once, as concat does; "
            "use --sampling-method concat"
        )
    if args.enable_reservsed_directions_shared_datasets:
        raise ValueError(
            "--enable-reservsed-directions-shared-datasets would give reversed directions the "
            "language tokens of the others; leave it out: both directions share their files anyway"
        )
    for flag in ("virtual_epoch_size", "virtual_data_size"):
        if getattr(args, flag) is not None and getattr(args, flag) < 1:
            raise ValueError(
                f"--{flag.replace('_', '-')} is {getattr(args, flag)}; "
                "it must be a number of examples"
            )
    text = getattr(args, "sampling_temperature_schedule", None)
    if text is None:
        return TemperatureSchedule(f"1:{args.sampling_temperature}")
    if (
        args.sampling_method != "temperature"
        or args.sampling_weights
        or args.sampling_weights_from_file
    ):
        raise ValueError(
            "--sampling-temperature-schedule needs --sampling-method temperature, "
            "and no --sampling-weights"
        )
    try:
        return TemperatureSchedule(text)
    except ValueError as error:
        raise ValueError(f"--sampling-temperature-schedule {error}") from error
