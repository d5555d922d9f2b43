"""One experiment: its folders, its language pairs and test sets, and its fairseq commands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional

from deepnet_fairseq.config.flags import flags
from deepnet_fairseq.data.binarize import BinarizationConfig, data_paths
from deepnet_fairseq.data.corpora.base import Corpus
from deepnet_fairseq.data.filters import CleaningConfig
from deepnet_fairseq.data.vocabulary import VocabularyConfig
from deepnet_fairseq.evaluation.decode.test_data import Direction, both_ways
from deepnet_fairseq.evaluation.score.config import EvaluationConfig
from deepnet_fairseq.languages import Pair
from deepnet_fairseq.training.launch import Batch, split_update

USER_DIR = Path(__file__).resolve().parents[1]
# Takes the flags of fairseq's translation_multi_simple_epoch.
TASK = "translation_multi_deepnet"
# How a sentence reaches the model. fairseq-generate builds the task anew, so it gets these flags
# from training.
FORMAT_FLAGS = (
    *("encoder-langtok", "decoder-langtok", "lang-tok-style", "langtoks", "langtoks-specs"),
    *("lang-tok-replacing-bos-eos", "enable-lang-ids", "left-pad-source", "left-pad-target"),
    *("truncate-source", "source-dict", "target-dict", "fixed-dictionary"),
    *("max-source-positions", "max-target-positions"),
)


@dataclass
class Recipe:
    """One experiment. The commands make everything below work_dir and data_dir."""

    path: Path
    work_dir: Path  # checkpoints and evaluation
    data_dir: Path  # corpus, vocabulary and binary data; experiments on the same data share it
    corpus: Corpus  # of the class that CORPORA has for corpus.kind
    kind: str
    directions: List[str]  # trained ones, such as en-de
    # --max-tokens × --update-freq × GPUs; None: whatever these give
    tokens_per_update: Optional[int]
    cleaning: CleaningConfig
    vocabulary: VocabularyConfig
    binarization: BinarizationConfig
    training: Dict[str, Any]  # flags of fairseq-train
    decoding: Dict[str, Any]  # flags of fairseq-generate
    evaluation: EvaluationConfig

    @property
    def name(self) -> str:
        """The config's name, which its default folder and reports have."""
        return self.path.stem

    @property
    def pivot(self) -> str:
        """The language that all supervised pairs share."""
        return self.corpus.pivot

    @property
    def supervised_pairs(self) -> List[Pair]:
        """Sorted pairs with training data."""
        return sorted(self.corpus.supervised_pairs())

    @property
    def zero_shot_pairs(self) -> List[Pair]:
        """Sorted pairs that are only tested."""
        return sorted(self.corpus.zero_shot_pairs())

    @property
    def test_sets(self) -> Dict[str, List[Pair]]:
        """Further test sets with the pairs of each."""
        return {name: sorted(pairs) for name, pairs in sorted(self.corpus.test_sets().items())}

    @property
    def test_directions(self) -> List[Direction]:
        """Tested directions of every test set: the trained ones, and other pairs both ways."""
        supervised = self.supervised_pairs
        untrained = {name for a, b in supervised for name in (f"{a}-{b}", f"{b}-{a}")}
        untrained -= set(self.directions)
        possible = both_ways(
            supervised, self.zero_shot_pairs, self.test_sets, self.corpus.untested_pairs()
        )
        return [d for d in possible if f"{d.source}-{d.target}" not in untrained]

    @property
    def languages(self) -> List[str]:
        """All languages, sorted: the order gives each language token its id."""
        pairs = self.supervised_pairs + self.zero_shot_pairs
        return sorted({language for pair in pairs for language in pair})

    @property
    def corpus_dir(self) -> Path:
        """Text files of the corpus."""
        return self.data_dir / "corpus"

    @property
    def vocabulary_dir(self) -> Path:
        """The SentencePiece model and its pieces."""
        return self.data_dir / "vocabulary"

    @property
    def data_bin(self) -> Path:
        """Fairseq's binary data."""
        return self.data_dir / "data-bin"

    @property
    def data_folders(self) -> List[Path]:
        """The parts of data_bin; the first also holds dev, test and dictionaries."""
        return data_paths(self.data_bin, self.binarization)

    @property
    def dictionaries(self) -> List[Path]:
        """Fairseq's dictionaries, one per language."""
        return [self.data_folders[0] / f"dict.{language}.txt" for language in self.languages]

    @property
    def checkpoint_dir(self) -> Path:
        """Fairseq's --save-dir."""
        return self.work_dir / "checkpoints"

    @property
    def evaluation_dir(self) -> Path:
        """Hypotheses and the report."""
        return self.work_dir / "evaluation"

    def batch(self, processes: int = 1, max_tokens: Optional[int] = None) -> Optional[Batch]:
        """Split tokens_per_update over processes.

        Args:
            processes: Processes that train together.
            max_tokens: Tokens per process and pass. None: the config's, which are an upper bound.

        Returns:
            What one process takes of an update, or None if the config has no tokens_per_update.

        Raises:
            LaunchError: There are more processes than tokens.
        """
        if self.tokens_per_update is None:
            return None
        bound = self.training["max-tokens"] if max_tokens is None else max_tokens
        return split_update(self.tokens_per_update, processes, bound, lower=max_tokens is None)

    def training_command(self, cpu: bool = False, batch: Optional[Batch] = None) -> List[str]:
        """Return the whole fairseq-train command.

        Args:
            cpu: Add --cpu.
            batch: What `batch` returns for the processes that train together.
        """
        training = {"tensorboard-logdir": str(self.work_dir / "tensorboard"), **self.training}
        if batch:
            training.update({"max-tokens": batch.max_tokens, "update-freq": batch.update_freq})
        folders = {"save-dir": self.checkpoint_dir, "log-file": self.work_dir / "train.log"}
        data = ":".join(map(str, self.data_folders))
        command = ["fairseq-train", data, *self._task_flags(), *flags(folders)]
        return command + ["--cpu"] * cpu + flags(training)

    def generation_command(
        self, source: str, target: str, checkpoint: Path, cpu: bool = False, subset: str = "test"
    ) -> List[str]:
        """Return the whole fairseq-generate command for one direction of a test set.

        Args:
            source: The language to translate from.
            target: The language to translate into.
            checkpoint: The model.
            cpu: Add --cpu.
            subset: fairseq's name of the test set.
        """
        direction = {"source-lang": source, "target-lang": target, "gen-subset": subset}
        text_format = {name: self.training[name] for name in FORMAT_FLAGS if name in self.training}
        command = ["fairseq-generate", str(self.data_folders[0]), *self._task_flags()]
        command += flags({**text_format, **direction, "path": checkpoint})
        command += ["--remove-bpe", "sentencepiece"]
        return command + ["--cpu"] * cpu + flags(self.decoding)

    def _task_flags(self) -> List[str]:
        languages, directions = ",".join(self.languages), ",".join(self.directions)
        task = {"user-dir": USER_DIR, "task": TASK, "langs": languages, "lang-pairs": directions}
        return flags(task)
