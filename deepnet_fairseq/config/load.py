"""A config, read and checked.

One experiment is one YAML file. It may extend another (`extends: base.yaml`, relative to itself)
and then holds only what differs. Input paths are relative to the file that `load_recipe` is given;
`work_dir` and `data_dir`, which hold results, to the current directory.
"""

from pathlib import Path
from typing import Tuple

from fairseq import options
from omegaconf import DictConfig

from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.config.sections import (
    check_batch,
    check_flags,
    read_directions,
    read_flags,
    read_tokens_per_update,
)
from deepnet_fairseq.config.yaml_file import (
    SECTIONS,
    find_config,
    read_config,
    reject_booleans,
    section,
    structured,
    text_value,
)
from deepnet_fairseq.data.binarize import BinarizationConfig
from deepnet_fairseq.data.corpora import CORPORA
from deepnet_fairseq.data.corpora.base import Corpus
from deepnet_fairseq.data.filters import CleaningConfig
from deepnet_fairseq.data.vocabulary import VocabularyConfig
from deepnet_fairseq.errors import RecipeError
from deepnet_fairseq.evaluation.score.config import EvaluationConfig
from deepnet_fairseq.languages import parse_direction
from deepnet_fairseq.network.architectures import ARCHITECTURES
from deepnet_fairseq.network.config import DeepNetConfig


def load_recipe(path: Path) -> Recipe:
    """Return the checked recipe of a YAML file.

    Raises:
        RecipeError: The file is missing or malformed, a key is unknown, a value has a wrong type,
            or fairseq's own parsers reject flags of training or decoding. Names file and key.
    """
    path = find_config(Path(path))
    config = read_config(path, seen=[])
    for key in config:
        if key not in SECTIONS:
            raise RecipeError(f"{path}: unknown key {key!r}; known are {', '.join(SECTIONS)}")
    kind, corpus = _read_corpus(path, config)
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
        directions=read_directions(path, config, corpus.supervised_pairs()),
        tokens_per_update=read_tokens_per_update(path, config),
        cleaning=structured(path, config, "cleaning", CleaningConfig),
        vocabulary=vocabulary,
        binarization=structured(path, config, "binarization", BinarizationConfig),
        training=read_flags(path, config, "training"),
        decoding=read_flags(path, config, "decoding"),
        evaluation=evaluation,
    )
    check_batch(path, recipe.tokens_per_update, recipe.training)
    _check_with_fairseq(recipe)
    return recipe


def _read_corpus(path: Path, config: DictConfig) -> Tuple[str, Corpus]:
    """Return the corpus's kind and the corpus."""
    block = section(path, config, "corpus")
    kind = block.pop("kind", None)
    if not isinstance(kind, str) or kind not in CORPORA:
        raise RecipeError(f"{path}: corpus.kind is {kind!r}; use one of {', '.join(CORPORA)}")
    reject_booleans(path, block, "corpus")
    corpus = structured(path, config, "corpus", CORPORA[kind], block)
    try:
        corpus.resolve_paths(path.parent)
    except ValueError as error:
        raise RecipeError(f"{path}: corpus.{error}") from error
    return kind, corpus


def _check_with_fairseq(recipe: Recipe) -> None:
    """Check the flags with fairseq's own parsers, and the model's sizes."""
    path, training, decoding = recipe.path, recipe.training, recipe.decoding
    if not training.get("arch"):
        raise RecipeError(
            f"{path}: training.arch is missing; name an architecture, such as deepnet_transformer"
        )
    train, generate = options.get_training_parser(), options.get_generation_parser()
    generation = recipe.generation_command(
        *parse_direction(recipe.directions[0]), recipe.checkpoint_dir
    )
    args = check_flags(path, "training", training, train, recipe.training_command())
    check_flags(path, "decoding", decoding, generate, generation)
    if args.arch in ARCHITECTURES:
        try:
            DeepNetConfig.from_namespace(args).complete()
        except ValueError as error:
            raise RecipeError(f"{path}: training: {error}") from error
