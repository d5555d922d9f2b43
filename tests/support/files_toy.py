"""A toy corpus of the kind `files`, in which languages count, and a model trained on it briefly."""

import random
from pathlib import Path
from typing import Sequence

from fairseq_cli import train

from deepnet_fairseq.commands.prepare import prepare
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.parallel import Jobs
from support.fairseq_commands import run_in_process

CONFIG = """
work_dir: {folder}/run
corpus:
  kind: files
  pairs:
    de-en:
      train: {{de: train.de, en: train.en}}
      dev: {{de: dev.de, en: dev.en}}
      test: {{de: test.de, en: test.en}}
    en-fr:
      train: {{en: train.en, fr: train.fr}}
      dev: {{en: dev.en, fr: dev.fr}}
      test: {{en: test.en, fr: test.fr}}
  zero_shot:
    de-fr: {{test: {{de: test.de, fr: test.fr}}}}
vocabulary: {{size: 32}}
training:
  {{
    arch: deepnet_transformer_tiny,
    encoder-embed-dim: 16,
    encoder-ffn-embed-dim: 24,
    encoder-attention-heads: 2,
    encoder-layers: 2,
    decoder-layers: 1,
    share-all-embeddings: true,
    {language_tokens},
    optimizer: adam,
    lr: 0.01,
    max-tokens: 200,
    num-workers: 0,
    criterion: label_smoothed_cross_entropy,
    max-update: 6,
    save-interval-updates: 2,
    no-epoch-checkpoints: true,
    seed: 1,
  }}
decoding: {{beam: 2, max-tokens: 500, max-len-b: 10}}
evaluation: {{average_checkpoints: 3, examples: 2}}
"""
WORDS = {
    "de": ["eins", "zwei", "drei", "vier"],
    "en": ["one", "two", "three", "four"],
    "fr": ["un", "deux", "trois", "quatre"],
}
DIRECTIONS = ["de-en", "en-de", "en-fr", "fr-en", "de-fr", "fr-de"]
LINES = 7


def train_toy(
    folder: Path, language_tokens: str = "encoder-langtok: tgt", flags: Sequence[str] = ()
) -> Recipe:
    """Write the corpus and its config, prepare it and train.

    Args:
        folder: of everything.
        language_tokens: entries of the config's `training` section, separated by commas.
        flags: further flags of fairseq-train.
    """
    draw = random.Random(2)
    for split, size in (("train", 60), ("dev", 5), ("test", LINES)):
        numbers = [draw.choices(range(4), k=draw.randint(2, 8)) for _ in range(size)]
        for language, names in WORDS.items():
            (folder / f"{split}.{language}").write_text(
                "".join(" ".join(names[i] for i in line) + ".\n" for line in numbers)
            )
    (folder / "toy.yaml").write_text(CONFIG.format(folder=folder, language_tokens=language_tokens))
    recipe = load_recipe(folder / "toy.yaml")
    prepare(recipe, Downloads(folder), Jobs())
    run_in_process(train, *recipe.training_command(cpu=True)[1:], *flags)
    return recipe
