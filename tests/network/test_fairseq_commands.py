"""The architecture under fairseq's own commands: training, resuming, decoding, precisions."""

import itertools
import math
import random
import re
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple, Union

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq_cli import generate, preprocess, train

import deepnet_fairseq

USER_DIR = str(Path(deepnet_fairseq.__file__).parent)
WORDS = ["a", "b", "c", "d"]
TINY = (
    "--encoder-layers 2 --decoder-layers 3 --encoder-embed-dim 16 --encoder-ffn-embed-dim 24 "
    "--encoder-attention-heads 2"
).split()


def run(command: Any, *words: Any) -> None:
    """Run one of fairseq's commands in this process, as its script would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["fairseq", *map(str, words)])
        command.cli_main()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Binary data: 60 sentences over four words, the target the source reversed."""
    root, draw = tmp_path_factory.mktemp("toy"), random.Random(4)
    for split, size in (("train", 60), ("valid", 12), ("test", 12)):
        sources = [[draw.choice(WORDS) for _ in range(draw.randint(1, 7))] for _ in range(size)]
        (root / f"{split}.s").write_text("".join(" ".join(s) + "\n" for s in sources))
        (root / f"{split}.t").write_text("".join(" ".join(reversed(s)) + "\n" for s in sources))
    prefixes = [f"--{s}pref={root / s}" for s in ("train", "valid", "test")]
    run(
        preprocess,
        "-s",
        "s",
        "-t",
        "t",
        *prefixes,
        "--destdir",
        root / "bin",
        "--joined-dictionary",
    )
    return root / "bin"


def train_flags(data: Path, save_dir: Path, max_update: int, *extra: str) -> List[Any]:
    flags = [
        data,
        "--user-dir",
        USER_DIR,
        "--arch",
        "deepnet_transformer",
        *TINY,
        "--save-dir",
        save_dir,
        "--cpu",
        "--num-workers",
        "0",
        "--no-progress-bar",
    ]
    flags += [
        "--optimizer",
        "adam",
        "--lr",
        "0.003",
        "--max-tokens",
        "80",
        "--max-update",
        max_update,
        "--seed",
        "3",
    ]
    return flags + [
        "--criterion",
        "label_smoothed_cross_entropy",
        "--label-smoothing",
        "0.1",
        "--dropout",
        "0.0",
        *extra,
    ]


@pytest.fixture(scope="module")
def checkpoint(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    save_dir = tmp_path_factory.mktemp("checkpoints")
    run(train, *train_flags(data, save_dir, 12))
    return save_dir / "checkpoint_last.pt"


def hypotheses(
    data: Path, checkpoint: Union[Path, str], out: Path, *flags: str
) -> Dict[int, List[Tuple[str, float]]]:
    """Return the (text, score) that fairseq-generate prints for each sentence, best first."""
    run(
        generate,
        data,
        "--user-dir",
        USER_DIR,
        "--path",
        checkpoint,
        "--cpu",
        "--num-workers",
        "0",
        "--results-path",
        out,
        *flags,
    )
    results: Dict[int, List[Tuple[str, float]]] = {}
    for line in (out / "generate-test.txt").read_text().splitlines():
        if match := re.match(r"H-(\d+)\t([^\t]+)\t(.*)", line):
            results.setdefault(int(match[1]), []).append((match[3], float(match[2])))
    return results


def test_generation_is_the_same_alone_and_in_large_batches(
    data: Path, checkpoint: Path, tmp_path: Path
) -> None:
    alone = hypotheses(
        data, checkpoint, tmp_path / "1", "--batch-size", "1", "--beam", "3", "--nbest", "3"
    )
    together = hypotheses(
        data, checkpoint, tmp_path / "2", "--batch-size", "12", "--beam", "3", "--nbest", "3"
    )
    assert len(alone) == 12
    for sentence, results in alone.items():
        assert [text for text, _ in results] == [text for text, _ in together[sentence]]
        assert [score for _, score in results] == pytest.approx(
            [score for _, score in together[sentence]], abs=2e-4
        )


def exhaustive_best(
    model: Any, source: torch.Tensor, target_dictionary: Any, max_words: int
) -> Tuple[str, float]:
    """Return the sentence with the highest mean log-probability, and that mean.

    All sentences of at most max_words words are tried.
    """
    eos, pad = target_dictionary.eos(), target_dictionary.pad()
    letters = [i for i in range(len(target_dictionary)) if i not in (eos, pad)]
    best = ("", float("-inf"))
    for n in range(1, max_words + 1):  # fairseq never returns an empty sentence
        words = torch.tensor(list(itertools.product(letters, repeat=n)), dtype=torch.long).view(
            -1, n
        )
        targets = torch.cat([words, torch.full((len(words), 1), eos)], dim=1)
        previous = torch.cat([torch.full((len(words), 1), eos), words], dim=1)
        with torch.no_grad():
            sources = source.expand(len(words), -1)
            logits = model(sources, torch.full((len(words),), source.numel()), previous)[0]
        scores = logits.log_softmax(-1).gather(2, targets[..., None]).squeeze(-1).mean(1)
        score, row = scores.max(0)
        if score.item() > best[1]:
            best = (target_dictionary.string(words[row]), score.item())
    return best


def test_beam_search_finds_what_an_exhaustive_search_finds(
    data: Path, checkpoint: Path, tmp_path: Path
) -> None:
    (model,), _, task = checkpoint_utils.load_model_ensemble_and_task(
        [str(checkpoint)], arg_overrides={"data": str(data)}
    )
    model.eval()
    width, max_words = len(task.target_dictionary) - 1, 3  # the widest beam that fairseq allows
    results = hypotheses(
        data,
        checkpoint,
        tmp_path,
        "--beam",
        str(width),
        "--max-len-a",
        "0",
        "--max-len-b",
        str(max_words),
    )
    task.load_dataset("test")
    assert len(results) == 12
    for sentence, [(text, score)] in results.items():
        best_text, best_score = exhaustive_best(
            model, task.dataset("test")[sentence]["source"], task.target_dictionary, max_words
        )
        assert text == best_text
        # fairseq prints base 2
        assert score * math.log(2) == pytest.approx(best_score, abs=2e-4)


def test_training_resumes_from_the_last_checkpoint_to_the_same_weights(
    data: Path, checkpoint: Path, tmp_path: Path
) -> None:
    for updates in (5, 12):
        run(train, *train_flags(data, tmp_path, updates))
    through, resumed = (
        checkpoint_utils.load_checkpoint_to_cpu(str(p))
        for p in (checkpoint, tmp_path / "checkpoint_last.pt")
    )
    assert resumed["optimizer_history"][-1]["num_updates"] == 12
    for name, weight in through["model"].items():
        # _float_tensor: an uninitialized buffer of fairseq's positions
        if weight.is_floating_point() and "_float_tensor" not in name:
            torch.testing.assert_close(resumed["model"][name], weight, atol=1e-6, rtol=0, msg=name)


@pytest.mark.parametrize("precision", ["--fp16", "--bf16"])  # --amp is for CUDA only: test_gpu.py
def test_lower_precision_trains(data: Path, tmp_path: Path, precision: str) -> None:
    run(train, *train_flags(data, tmp_path, 3, precision, "--checkpoint-activations"))
    state = checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / "checkpoint_last.pt"))
    assert state["optimizer_history"][-1]["num_updates"] == 3
    assert all(
        torch.isfinite(w).all() for n, w in state["model"].items() if "_float_tensor" not in n
    )
    # fairseq writes float32 whatever the model's type
    weight = state["model"]["encoder.stack.layers.0.ffn.fc1.weight"]
    rounded = weight.to({"--fp16": torch.float16, "--bf16": torch.bfloat16}[precision]).float()
    assert torch.equal(rounded, weight)


@pytest.mark.parametrize(
    "precision", [[], ["--fp16", "--fp16-init-scale", "4"]], ids=["fp32", "fp16"]
)
@pytest.mark.parametrize("scheme", ["branchnorm", "admin"])
def test_the_state_of_a_residual_scheme_outlives_a_restart(
    data: Path, tmp_path: Path, scheme: str, precision: List[str]
) -> None:
    flags = [
        "--residual-scheme",
        scheme,
        *precision,
        "--store-ema",
        *(["--branchnorm-updates", "8"] if scheme == "branchnorm" else []),
    ]
    states = []
    for updates in (3, 5):
        run(train, *train_flags(data, tmp_path, updates, *flags))
        states.append(
            checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / "checkpoint_last.pt"))["model"]
        )
    first, second = (
        [
            state[name].item()
            for name in state
            if name.endswith(("branch_weight", "profiled_shortcut"))
        ]
        for state in states
    )
    assert len(first) == 2 * 2 + 3 * 3
    if scheme == "branchnorm":
        assert (set(first), set(second)) == ({3 / 8}, {5 / 8})
    else:
        assert states[0]["profiled"] == 1
        assert first == second
        assert first[:4] == sorted(first[:4]) and first[3] > first[0] == 1.0
        factor = states[1]["encoder.stack.layers.1.ffn_residual.shortcut"]
        assert factor.shape == (16,) and factor.ne(1).any()


def test_half_precision_learns_what_full_precision_learns(data: Path, tmp_path: Path) -> None:
    losses = {}
    for name, flags in {"full": [], "half": ["--fp16", "--fp16-init-scale", "4"]}.items():
        run(train, *train_flags(data, tmp_path / name, 30, *flags))
        state = checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / name / "checkpoint_last.pt"))
        losses[name] = state["extra_state"]["val_loss"]
    untrained = math.log2(4 + len(WORDS))
    assert losses["full"] < untrained - 0.5
    assert losses["half"] == pytest.approx(losses["full"], abs=0.05)


def test_alignments_are_printed_on_request(data: Path, checkpoint: Path, tmp_path: Path) -> None:
    hypotheses(data, checkpoint, tmp_path, "--print-alignment")
    lines = [
        line
        for line in (tmp_path / "generate-test.txt").read_text().splitlines()
        if line.startswith("A-")
    ]
    assert len(lines) == 12
    assert all(re.fullmatch(r"A-\d+\t(\d+-\d+ ?)+", line) for line in lines)


def test_dropout_is_kept_in_generation_on_request(data: Path, tmp_path: Path) -> None:
    run(
        train,
        *train_flags(
            data, tmp_path, 4, "--attention-dropout", "0.3", "--activation-dropout", "0.3"
        ),
    )
    results = {}
    for name, flags in {
        "off": [],
        "on": ["--retain-dropout"],
        "other seed": ["--retain-dropout", "--seed", "9"],
    }.items():
        results[name] = hypotheses(data, tmp_path / "checkpoint_last.pt", tmp_path / name, *flags)
    scores = {
        name: [score for lines in sentences.values() for _, score in lines]
        for name, sentences in results.items()
    }
    assert scores["off"] != scores["on"] != scores["other seed"]


def test_reference_scores_are_those_of_the_full_forward(
    data: Path, checkpoint: Path, tmp_path: Path
) -> None:
    (model,), _, task = checkpoint_utils.load_model_ensemble_and_task(
        [str(checkpoint)], arg_overrides={"data": str(data)}
    )
    scored = hypotheses(data, checkpoint, tmp_path, "--score-reference")
    task.load_dataset("test")
    assert len(scored) == 12
    for sentence, [(_, score)] in scored.items():
        pair = task.dataset("test")[sentence]
        source, target = pair["source"][None], pair["target"][None]
        previous = torch.cat([target[:, -1:], target[:, :-1]], dim=1)
        with torch.no_grad():
            logits = model.eval()(source, torch.tensor([source.size(1)]), previous)[0]
        expected = logits.log_softmax(-1).gather(2, target[..., None]).mean().item()
        assert score * torch.log(torch.tensor(2.0)).item() == pytest.approx(expected, abs=2e-4)


def test_an_ensemble_of_one_model_twice_translates_like_the_model(
    data: Path, checkpoint: Path, tmp_path: Path
) -> None:
    alone = hypotheses(data, checkpoint, tmp_path / "1")
    twice = hypotheses(data, f"{checkpoint}:{checkpoint}", tmp_path / "2")
    assert {n: text for n, [(text, _)] in alone.items()} == {
        n: text for n, [(text, _)] in twice.items()
    }
