"""A config read, checked, and turned into fairseq's commands.

One experiment is one YAML file. It may extend another (`extends: base.yaml`, relative to itself) and then says only what differs. Input
paths are relative to the file that load_recipe is given; `work_dir`, where results go, is relative to the current directory.
"""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

from fairseq import options
from omegaconf import DictConfig

from deepnet_fairseq.config_file import SECTIONS, RecipeError, read_config, refuse_booleans, section, structured, text_value
from deepnet_fairseq.data.corpora import CORPORA
from deepnet_fairseq.data.layout import Pair
from deepnet_fairseq.data.vocabulary import VocabularyConfig
from deepnet_fairseq.evaluation.config import EvaluationConfig
from deepnet_fairseq.flags import FlagError, parse_flags
from deepnet_fairseq.network.architectures import ARCHITECTURES
from deepnet_fairseq.network.config import DeepNetConfig

USER_DIR = Path(__file__).resolve().parent
TASK = "translation_multi_simple_epoch"
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
    """One experiment. Everything below work_dir is made by the three commands; see `load_recipe`."""

    path: Path
    work_dir: Path
    corpus: Any  # CldrConfig, FilesConfig, … : the dataclass that CORPORA holds for corpus.kind
    kind: str
    vocabulary: VocabularyConfig
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
    def languages(self) -> List[str]:
        """All languages, sorted: the order that gives each language token its id."""
        return sorted({language for pair in self.supervised_pairs + self.zero_shot_pairs for language in pair})

    @property
    def corpus_dir(self) -> Path:
        return self.work_dir / "corpus"

    @property
    def vocabulary_dir(self) -> Path:
        return self.work_dir / "vocabulary"

    @property
    def data_bin(self) -> Path:
        return self.work_dir / "data-bin"

    @property
    def checkpoint_dir(self) -> Path:
        return self.work_dir / "checkpoints"

    @property
    def evaluation_dir(self) -> Path:
        return self.work_dir / "evaluation"

    def training_command(self, cpu: bool = False) -> List[str]:
        """Return the whole fairseq-train command; cpu adds --cpu."""
        command = ["fairseq-train", *self._task_flags(), "--save-dir", str(self.checkpoint_dir)]
        command += ["--log-file", str(self.work_dir / "train.log")]
        return command + ["--cpu"] * cpu + flags(self.training)

    def generation_command(self, source: str, target: str, checkpoint: Path, cpu: bool = False) -> List[str]:
        """Return the whole fairseq-generate command for one direction of the test set; cpu adds --cpu."""
        direction = ["--source-lang", source, "--target-lang", target, "--gen-subset", "test", "--path", str(checkpoint)]
        text_format = {name: self.training[name] for name in FORMAT_FLAGS if name in self.training}
        command = ["fairseq-generate", *self._task_flags(), *flags(text_format), *direction, "--remove-bpe", "sentencepiece"]
        return command + ["--cpu"] * cpu + flags(self.decoding)

    def _task_flags(self) -> List[str]:
        directions = [f"{s}-{t}" for a, b in self.supervised_pairs for s, t in ((a, b), (b, a))]
        task = {"user-dir": USER_DIR, "task": TASK, "langs": ",".join(self.languages), "lang-pairs": ",".join(directions)}
        return [str(self.data_bin), *flags(task)]


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
    recipe = Recipe(
        path=path,
        work_dir=Path(text_value(path, config, "work_dir") or Path("runs") / path.stem),
        corpus=corpus,
        kind=kind,
        vocabulary=structured(path, config, "vocabulary", VocabularyConfig),
        training=_flag_section(path, config, "training"),
        decoding=_flag_section(path, config, "decoding"),
        evaluation=structured(path, config, "evaluation", EvaluationConfig),
    )
    _check_with_fairseq(recipe)
    return recipe


def _flag_section(path: Path, config: DictConfig, name: str) -> Dict[str, Any]:
    """Return a block of fairseq flags, each spelled as on fairseq's command line without the leading dashes."""
    block = section(path, config, name)
    for key, value in block.items():
        where = f"{path}: {name}.{key}"
        if not isinstance(key, str) or key.startswith("-") or "_" in key:
            raise RecipeError(f"{where}: write the flag as {str(key).lstrip('-').replace('_', '-')!r}")
        if key in DERIVED_FLAGS:
            raise RecipeError(f"{where}: follows from the rest of the config; leave it out")
        if isinstance(value, dict):
            raise RecipeError(f"{where}: is a mapping; give a single value, or a string in fairseq's own notation")
    return block


def _check_with_fairseq(recipe: Recipe) -> None:
    """Let fairseq's own parsers judge the flags, and the model its sizes."""
    if not recipe.training.get("arch"):
        raise RecipeError(f"{recipe.path}: training.arch is missing; name an architecture, such as deepnet_transformer")
    a, b = recipe.supervised_pairs[0]
    args = _parse(recipe, "training", options.get_training_parser(), recipe.training_command())
    _parse(recipe, "decoding", options.get_generation_parser(), recipe.generation_command(a, b, recipe.checkpoint_dir))
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
            raise RecipeError(f"{recipe.path}: {name}.{flag}: takes a value; write 'False' in quotes, or null to leave it out")
    return args
