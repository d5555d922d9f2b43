"""One model for all directions against fairseq-generate, with every kind of language token."""

import re
from argparse import Namespace
from pathlib import Path
from typing import Any, Dict, List, Sequence

import pytest
import torch
from fairseq import options
from fairseq_cli import generate
from support.files_toy import DIRECTIONS, LINES, train_toy

from deepnet_fairseq.checkpoints import load_checkpoint
from deepnet_fairseq.config.flags import parse_flags
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.encoder import Encoder
from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.decode.decode import decode_all, make_batches
from deepnet_fairseq.evaluation.decode.search import Generation
from deepnet_fairseq.evaluation.decode.test_data import Direction, Sentence, read_source
from deepnet_fairseq.evaluation.decode.translator import Translator
from deepnet_fairseq.evaluation.decode.workers import translate_batches

LANGUAGE_TOKENS = {
    "encoder tgt": "encoder-langtok: tgt",
    "encoder src, decoder": "encoder-langtok: src, decoder-langtok: true",
    "decoder": "decoder-langtok: true",
    "mbart": (
        "encoder-langtok: src, decoder-langtok: true, lang-tok-replacing-bos-eos: true, "
        "lang-tok-style: mbart"
    ),
}
# The same length limit for every sentence: fairseq's depends on the batch, and this model often
# reaches it.
FLAGS = ["--max-len-a", "0", "--max-len-b", "12"]


@pytest.fixture(scope="module", params=LANGUAGE_TOKENS.values(), ids=LANGUAGE_TOKENS.keys())
def recipe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return with_larger_weights(train_toy(tmp_path_factory.mktemp("toy"), request.param))


def with_larger_weights(recipe: Recipe) -> Recipe:
    """Add noise to the weights: so little training gives all sentences the same translation."""
    path = recipe.checkpoint_dir / "checkpoint_last.pt"
    state = load_checkpoint(path)
    torch.manual_seed(5)
    layers = {
        name: weight
        for name, weight in state["model"].items()
        if ".stack." in name and weight.dim() == 2
    }
    state["model"].update(
        {name: weight + torch.randn_like(weight) for name, weight in layers.items()}
    )
    torch.save(
        {key: value for key, value in state.items() if key != "last_optimizer_state"},
        path.with_suffix(".new"),
    )
    path.with_suffix(".new").replace(path)  # its tensors were mapped from the old file
    return recipe


def command(recipe: Recipe, direction: Direction, *flags: str) -> List[str]:
    model = recipe.checkpoint_dir / "checkpoint_last.pt"
    return [
        *recipe.generation_command(direction.source, direction.target, model, cpu=True),
        *FLAGS,
        *flags,
    ]


def parse(words: Sequence[str]) -> Namespace:
    return parse_flags(options.get_generation_parser(), words[1:])


def by_fairseq(words: Sequence[str], folder: Path) -> List[str]:
    """What fairseq-generate prints for each line."""
    # A process to load so little would be waited for in vain at its end, five seconds each time.
    flags = [*words[1:], "--results-path", str(folder), "--num-workers", "0"]
    parsed: Namespace = options.parse_args_and_arch(options.get_generation_parser(), flags)
    generate.main(parsed)
    matches = re.findall(
        r"^D-(\d+)\t\S+\t(.*)$", (folder / "generate-test.txt").read_text(), flags=re.MULTILINE
    )
    return [text for _, text in sorted(matches, key=lambda pair: int(pair[0]))]


@pytest.mark.parametrize(
    "flags",
    [(), ("--beam", "4", "--lenpen", "0.3", "--unkpen", "2"), ("--batch-size", "3")],
    ids=" ".join,
)
def test_every_direction_is_translated_as_fairseq_generate_does_it(
    recipe: Recipe, tmp_path: Path, flags: Sequence[str]
) -> None:
    directions = recipe.test_directions
    assert [direction.name for direction in directions] == DIRECTIONS
    model = recipe.checkpoint_dir / "checkpoint_last.pt"
    args = parse(command(recipe, directions[-1], *flags))  # whichever direction they are of
    generation = Generation(args, lambda d: command(recipe, d, *flags), model)
    translated = decode_all(
        directions, generation, recipe.corpus_dir, recipe.vocabulary_dir, tmp_path / "ours"
    )
    different = 0
    for hypotheses in translated:
        ours = hypotheses.path.read_text().splitlines()
        assert ours == by_fairseq(
            command(recipe, hypotheses.direction, *flags), tmp_path / hypotheses.direction.name
        )
        assert len(ours) == LINES
        different += len(set(ours))
    assert different > 2 * len(translated)  # not the same sentence all the time


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return with_larger_weights(train_toy(tmp_path_factory.mktemp("toy")))


@pytest.fixture
def sentences(toy: Recipe) -> List[Sentence]:
    encoder = Encoder(toy.vocabulary_dir)
    return [
        s
        for direction in toy.test_directions
        for s in read_source(direction, toy.corpus_dir, encoder).sentences
    ]


def translator(toy: Recipe, *flags: str) -> Translator:
    args = parse(command(toy, toy.test_directions[0], *flags))
    return Translator(args, torch.device("cpu"))


def all_at_once(
    toy: Recipe, sentences: Sequence[Sentence], batch_size: int, *flags: str
) -> Dict[Any, Any]:
    batches, model = make_batches(sentences, None, batch_size), translator(toy, *flags)
    return {
        (s.direction, s.line): hypothesis
        for batch in batches
        for s, hypothesis in zip(batch, model.translate(batch), strict=True)
    }


def test_what_else_is_in_a_batch_makes_no_difference(
    toy: Recipe, sentences: List[Sentence]
) -> None:
    flags = ("--max-len-a", "1", "--max-len-b", "2")
    alone = all_at_once(toy, sentences, 1, *flags)
    assert any(hypothesis.cut for hypothesis in alone.values()) and not all(
        hypothesis.cut for hypothesis in alone.values()
    )
    for batch_size in (3, 1000):
        assert all_at_once(toy, sentences, batch_size, *flags) == alone


def test_sentences_too_long_for_the_model_have_no_hypothesis_and_the_others_keep_theirs(
    toy: Recipe, sentences: List[Sentence]
) -> None:
    whole = all_at_once(toy, sentences, 1000)
    longest = max(len(sentence.ids) for sentence in sentences)
    translated = all_at_once(
        toy, sentences, 1000, "--max-source-positions", str(longest)
    )  # the language token is one more
    too_long = {(s.direction, s.line) for s in sentences if len(s.ids) == longest}
    assert {place for place, hypothesis in translated.items() if hypothesis is None} == too_long
    assert {p: h for p, h in translated.items() if p not in too_long} == {
        p: h for p, h in whole.items() if p not in too_long
    }


def test_a_batch_too_large_for_the_memory_is_halved(
    toy: Recipe, sentences: List[Sentence], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, sizes = translator(toy), []
    expected = model.translate(sentences)
    generate = model.generator.generate

    def small_memory(models: Any, sample: Dict[str, Any], **options: Any) -> Any:
        sizes.append(len(sample["id"]))
        if sizes[-1] > 15:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return generate(models, sample, **options)

    monkeypatch.setattr(model.generator, "generate", small_memory)
    assert model.translate(sentences) == expected
    assert sizes == [42, 21, 10, 11, 21, 10, 11]


def test_one_sentence_too_large_for_the_memory_is_an_error(
    toy: Recipe, sentences: List[Sentence], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = translator(toy)

    def no_memory(models: Any, sample: Dict[str, Any], **options: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model.generator, "generate", no_memory)
    with pytest.raises(EvaluationError, match=r"de-en, line 1: this sentence alone does not fit"):
        model.translate(sentences[:3])


def test_other_searches_of_fairseq_work_as_they_are(toy: Recipe, sentences: List[Sentence]) -> None:
    translated = all_at_once(toy, sentences, 1000, "--sampling", "--nbest", "2", "--seed", "3")
    assert translated == all_at_once(
        toy, sentences, 1000, "--sampling", "--nbest", "2", "--seed", "3"
    )
    assert translated != all_at_once(
        toy, sentences, 1000, "--sampling", "--nbest", "2", "--seed", "4"
    )


def test_the_minimum_length_goes_before_a_sentences_own_limit(
    toy: Recipe, sentences: List[Sentence]
) -> None:
    longest = max(len(sentence.ids) for sentence in sentences) + 1  # with the language token
    flags = ("--max-len-a", "1", "--max-len-b", "0", "--min-len", str(longest))
    assert all(hypothesis.cut for hypothesis in all_at_once(toy, sentences, 1000, *flags).values())
    with pytest.raises(EvaluationError, match="min_len cannot be larger than max_len"):
        all_at_once(toy, sentences, 1, *flags)


def test_two_workers_that_cannot_load_the_model_say_why(
    toy: Recipe, sentences: List[Sentence], tmp_path: Path
) -> None:
    (tmp_path / "model.pt").write_bytes(b"nothing")
    args = parse(command(toy, toy.test_directions[0], "--path", str(tmp_path / "model.pt")))
    with pytest.raises(EvaluationError, match=r"model\.pt cannot be loaded"):
        list(translate_batches(args, ["cpu", "cpu"], [sentences]))


def test_a_file_that_is_no_checkpoint_is_named(toy: Recipe, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"nothing")
    with pytest.raises(EvaluationError, match=r"model\.pt cannot be loaded"):
        translator(toy, "--path", str(tmp_path / "model.pt"))
