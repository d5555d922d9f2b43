"""A config read, checked, and turned into fairseq's commands.

One experiment is one YAML file. It may extend another (`extends: base.yaml`, relative to itself) and then says only what differs. Input
paths are relative to the file that load_recipe is given; `work_dir` and `data_dir`, where results go, to the current directory.
"""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional

from fairseq import options
from omegaconf import DictConfig, ListConfig

from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.config.yaml_file import (
    SECTIONS,
    read_config,
    refuse_booleans,
    section,
    structured,
    text_value,
)
from deepnet_fairseq.data.binarize import BinarizationConfig, data_paths
from deepnet_fairseq.data.cleaning import CleaningConfig
from deepnet_fairseq.data.corpora import CORPORA
from deepnet_fairseq.data.vocabulary import VocabularyConfig
from deepnet_fairseq.errors import FlagError, RecipeError
from deepnet_fairseq.evaluation.decode.direction import Direction, both_ways
from deepnet_fairseq.evaluation.score.config import EvaluationConfig
from deepnet_fairseq.languages import Pair
from deepnet_fairseq.network.architectures import ARCHITECTURES
from deepnet_fairseq.network.config import DeepNetConfig
from deepnet_fairseq.training.launch import Batch, split_update

USER_DIR = Path(__file__).resolve().parents[1]
TASK = (
    "translation_multi_deepnet"  # ours; takes the flags of fairseq's translation_multi_simple_epoch
)
# Flags that follow from the rest of the recipe; a value of the user's own would contradict it.
DERIVED_FLAGS = frozenset(
    "data user-dir task langs lang-pairs source-lang target-lang save-dir log-file path gen-subset results-path "
    "remove-bpe post-process".split()
)
# What decides how a sentence reaches the model: generation takes it from training, since fairseq builds its task anew there.
FORMAT_FLAGS = (
    "encoder-langtok decoder-langtok lang-tok-style langtoks langtoks-specs lang-tok-replacing-bos-eos enable-lang-ids left-pad-source "
    "left-pad-target truncate-source source-dict target-dict fixed-dictionary max-source-positions max-target-positions"
).split()


@dataclass
class Recipe:
    """One experiment. Everything below work_dir and data_dir is made by the three commands; see `load_recipe`."""

    path: Path
    work_dir: Path  # checkpoints and evaluation
    data_dir: Path  # corpus, vocabulary and binary data; experiments on the same data share it
    corpus: Any  # CldrConfig, FilesConfig, … : the dataclass that CORPORA holds for corpus.kind
    kind: str
    directions: List[str]  # what is trained, such as en-de
    tokens_per_update: Optional[
        int
    ]  # --max-tokens × --update-freq × GPUs; None: whatever these give
    cleaning: CleaningConfig
    vocabulary: VocabularyConfig
    binarization: BinarizationConfig
    training: Dict[str, Any]  # fairseq-train's own flags
    decoding: Dict[str, Any]  # fairseq-generate's own flags
    evaluation: EvaluationConfig

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def pivot(self) -> str:
        return self.corpus.pivot

    @property
    def supervised_pairs(self) -> List[Pair]:
        """Pairs with training data, alphabetical inside and among themselves."""
        return sorted(self.corpus.supervised_pairs())

    @property
    def zero_shot_pairs(self) -> List[Pair]:
        """Pairs that are only tested."""
        return sorted(self.corpus.zero_shot_pairs())

    @property
    def test_sets(self) -> Dict[str, List[Pair]]:
        """Further test sets, and the pairs that each has."""
        return {name: sorted(pairs) for name, pairs in sorted(self.corpus.test_sets().items())}

    @property
    def test_directions(self) -> List[Direction]:
        """All that is tested: trained directions, and pairs without training data both ways, on every set that has them."""
        possible = both_ways(
            self.supervised_pairs,
            self.zero_shot_pairs,
            self.test_sets,
            self.corpus.untested_pairs(),
        )
        untrained = {
            f"{s}-{t}" for a, b in self.supervised_pairs for s, t in ((a, b), (b, a))
        } - set(self.directions)
        return [
            direction
            for direction in possible
            if f"{direction.source}-{direction.target}" not in untrained
        ]

    @property
    def languages(self) -> List[str]:
        """All languages, sorted: the order that gives each language token its id."""
        return sorted(
            {language for pair in self.supervised_pairs + self.zero_shot_pairs for language in pair}
        )

    @property
    def corpus_dir(self) -> Path:
        return self.data_dir / "corpus"

    @property
    def vocabulary_dir(self) -> Path:
        return self.data_dir / "vocabulary"

    @property
    def data_bin(self) -> Path:
        return self.data_dir / "data-bin"

    @property
    def data_folders(self) -> List[Path]:
        """The parts of data_bin; dev, test and dictionaries lie in the first."""
        return data_paths(self.data_bin, self.binarization)

    @property
    def dictionaries(self) -> List[Path]:
        """fairseq's dictionaries, one per language."""
        return [self.data_folders[0] / f"dict.{language}.txt" for language in self.languages]

    @property
    def checkpoint_dir(self) -> Path:
        return self.work_dir / "checkpoints"

    @property
    def evaluation_dir(self) -> Path:
        return self.work_dir / "evaluation"

    def batch(self, processes: int = 1, max_tokens: Optional[int] = None) -> Optional[Batch]:
        """What each of so many processes takes of an update, or None if the config says no tokens_per_update.

        max_tokens replaces the config's, which is only an upper bound. Raises LaunchError for more processes than there are tokens for.
        """
        if self.tokens_per_update is None:
            return None
        bound = self.training["max-tokens"] if max_tokens is None else max_tokens
        return split_update(self.tokens_per_update, processes, bound, lower=max_tokens is None)

    def training_command(self, cpu: bool = False, batch: Optional[Batch] = None) -> List[str]:
        """Return the whole fairseq-train command; cpu adds --cpu; batch is what `batch` gives for the processes that take part."""
        training = {"tensorboard-logdir": str(self.work_dir / "tensorboard"), **self.training}
        if batch:
            training.update({"max-tokens": batch.max_tokens, "update-freq": batch.update_freq})
        data = ":".join(map(str, self.data_folders))
        command = [
            "fairseq-train",
            data,
            *self._task_flags(),
            "--save-dir",
            str(self.checkpoint_dir),
        ]
        command += ["--log-file", str(self.work_dir / "train.log")]
        return command + ["--cpu"] * cpu + flags(training)

    def generation_command(
        self, source: str, target: str, checkpoint: Path, cpu: bool = False, subset: str = "test"
    ) -> List[str]:
        """Return the whole fairseq-generate command for one direction of a test set; cpu adds --cpu."""
        direction = [
            "--source-lang",
            source,
            "--target-lang",
            target,
            "--gen-subset",
            subset,
            "--path",
            str(checkpoint),
        ]
        text_format = {name: self.training[name] for name in FORMAT_FLAGS if name in self.training}
        command = [
            "fairseq-generate",
            str(self.data_folders[0]),
            *self._task_flags(),
            *flags(text_format),
            *direction,
            "--remove-bpe",
            "sentencepiece",
        ]
        return command + ["--cpu"] * cpu + flags(self.decoding)

    def _task_flags(self) -> List[str]:
        task = {
            "user-dir": USER_DIR,
            "task": TASK,
            "langs": ",".join(self.languages),
            "lang-pairs": ",".join(self.directions),
        }
        return flags(task)


def flags(options: Dict[str, Any]) -> List[str]:
    """Return options as words of a command line: True is a bare flag, None and False are left out, a list gives several words."""
    words: List[str] = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        words.append(f"--{name}")
        if value is not True:
            words += [str(v) for v in value] if isinstance(value, list) else [str(value)]
    return words


def load_recipe(path: Path) -> Recipe:
    """Return the checked recipe in the YAML file path.

    Raises RecipeError, naming file and key, for a missing or malformed file, an unknown key, a value of a wrong type, and for training
    and decoding flags that fairseq's own parsers refuse.
    """
    path = Path(path)
    config = read_config(path, seen=[])
    for key in config:
        if key not in SECTIONS:
            raise RecipeError(f"{path}: unknown key {key!r}; known are {', '.join(SECTIONS)}")
    corpus_block = section(path, config, "corpus")
    kind = corpus_block.pop("kind", None)
    if not isinstance(kind, str) or kind not in CORPORA:
        raise RecipeError(f"{path}: corpus.kind is {kind!r}; use one of {', '.join(CORPORA)}")
    refuse_booleans(path, corpus_block, "corpus")
    corpus = structured(path, config, "corpus", CORPORA[kind][0], corpus_block)
    try:
        corpus.resolve_paths(path.parent)
    except ValueError as error:
        raise RecipeError(f"{path}: corpus.{error}") from error
    work_dir = Path(text_value(path, config, "work_dir") or Path("runs") / path.stem)
    vocabulary = structured(path, config, "vocabulary", VocabularyConfig)
    vocabulary.resolve_paths(path.parent)
    evaluation = structured(path, config, "evaluation", EvaluationConfig)
    evaluation.resolve_paths(path.parent)
    recipe = Recipe(
        path=path,
        work_dir=work_dir,
        data_dir=Path(text_value(path, config, "data_dir") or work_dir),
        corpus=corpus,
        kind=kind,
        directions=_directions(path, config, corpus.supervised_pairs()),
        tokens_per_update=_tokens_per_update(path, config),
        cleaning=structured(path, config, "cleaning", CleaningConfig),
        vocabulary=vocabulary,
        binarization=structured(path, config, "binarization", BinarizationConfig),
        training=_flag_section(path, config, "training"),
        decoding=_flag_section(path, config, "decoding"),
        evaluation=evaluation,
    )
    _check_batch(recipe)
    _check_with_fairseq(recipe)
    return recipe


def _directions(path: Path, config: DictConfig, supervised: Iterable[Pair]) -> List[str]:
    """The directions that are trained: those of the config, in its order, or every supervised pair both ways."""
    possible = [f"{s}-{t}" for a, b in sorted(supervised) for s, t in ((a, b), (b, a))]
    block = config.get("directions")
    if block is None:
        return possible
    chosen = list(block) if isinstance(block, ListConfig) else None
    if not chosen or len(set(map(str, chosen))) < len(chosen):
        raise RecipeError(
            f"{path}: directions is {block!r}; list each direction once, such as [en-de]"
        )
    for direction in chosen:
        if direction not in possible:
            raise RecipeError(
                f"{path}: directions has {direction!r}, but the corpus has training text for {', '.join(possible[:20])} only"
            )
    return [str(direction) for direction in chosen]


def _tokens_per_update(path: Path, config: DictConfig) -> Optional[int]:
    value = config.get("tokens_per_update")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise RecipeError(
            f"{path}: tokens_per_update is {value!r}; it must be a whole number of tokens, such as 524288"
        )
    return value


def _flag_section(path: Path, config: DictConfig, name: str) -> Dict[str, Any]:
    """Return a block of fairseq flags, each spelled as on fairseq's command line without the leading dashes."""
    block = section(path, config, name)
    for key, value in block.items():
        where = f"{path}: {name}.{key}"
        if not isinstance(key, str) or key.startswith("-") or "_" in key:
            raise RecipeError(
                f"{where}: write the flag as {str(key).lstrip('-').replace('_', '-')!r}"
            )
        if key in DERIVED_FLAGS:
            raise RecipeError(f"{where}: follows from the rest of the config; leave it out")
        if isinstance(value, dict):
            raise RecipeError(
                f"{where}: is a mapping; give a single value, or a string in fairseq's own notation"
            )
    return block


def _check_batch(recipe: Recipe) -> None:
    """tokens_per_update fixes the product of tokens per GPU, updates put off and GPUs: --update-freq follows from the other two."""
    if recipe.tokens_per_update is None:
        return
    if recipe.training.get("update-freq") is not None:
        raise RecipeError(
            f"{recipe.path}: training.update-freq: follows from tokens_per_update and the number of GPUs; leave one out"
        )
    max_tokens = recipe.training.get("max-tokens")
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 1:
        raise RecipeError(
            f"{recipe.path}: training.max-tokens is {max_tokens!r}; with tokens_per_update it must say what fits on a GPU"
        )


def _check_with_fairseq(recipe: Recipe) -> None:
    """Let fairseq's own parsers judge the flags, and the model its sizes."""
    if not recipe.training.get("arch"):
        raise RecipeError(
            f"{recipe.path}: training.arch is missing; name an architecture, such as deepnet_transformer"
        )
    a, b = recipe.directions[0].split("-")
    args = _parse(recipe, "training", options.get_training_parser(), recipe.training_command())
    _parse(
        recipe,
        "decoding",
        options.get_generation_parser(),
        recipe.generation_command(a, b, recipe.checkpoint_dir),
    )
    if args.arch in ARCHITECTURES:
        try:
            DeepNetConfig.from_namespace(args).complete()
        except ValueError as error:
            raise RecipeError(f"{recipe.path}: training: {error}") from error


def _parse(recipe: Recipe, name: str, parser: ArgumentParser, command: List[str]) -> Namespace:
    """Return what fairseq's parser makes of a command. Raises RecipeError with its complaint."""
    try:
        args = parse_flags(parser, command[1:])
    except FlagError as error:
        raise RecipeError(f"{recipe.path}: {name}: {error}") from error
    # Leaving a flag out is no way to say false to one that takes a value; argparse has no public look-up.
    known = parser._option_string_actions
    for flag in (flag for flag, value in getattr(recipe, name).items() if value is False):
        if f"--{flag}" not in known:
            raise RecipeError(f"{recipe.path}: {name}.{flag}: fairseq has no such flag")
        if known[f"--{flag}"].nargs != 0:
            raise RecipeError(
                f"{recipe.path}: {name}.{flag}: takes a value; write 'False' in quotes, or null to leave it out"
            )
    return args
