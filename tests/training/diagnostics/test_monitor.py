"""A measured training is unchanged, and the numbers are those of its checkpoints."""

import copy
import hashlib
import os
import struct
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.logging import progress_bar
from support.cldr_toy import measured, train_here, weights
from tensorboardX.proto.event_pb2 import Event
from torch import Tensor

from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.training.diagnostics import guard, monitor
from deepnet_fairseq.training.diagnostics.measurements import FILE_NAME, read
from deepnet_fairseq.training.diagnostics.monitor import build_monitor
from deepnet_fairseq.training.diagnostics.probe import Outputs, Probe

LAYERS = [("encoder", 1), ("encoder", 2), ("decoder", 1), ("decoder", 2), ("decoder", 3)]
MEASURING = ["--stability-interval", 1, "--stability-layers"]
SGD = dict(
    optimizer="sgd",
    adam_betas=None,
    clip_norm=0.0,
    lr_scheduler="fixed",
    lr=1.5,
    warmup_updates=None,
    warmup_init_lr=None,
)
SIX_DIGITS = 1e-5  # relative; the precision of the file
FLOAT32 = 2e-4  # relative: a difference of weights that are some hundred times as large


def checkpoint_updates(folder: Path, quantity: str) -> List[int]:
    return [
        m.update for m in read(folder / FILE_NAME) if m.quantity == quantity and m.stack == "model"
    ]


@pytest.mark.parametrize(
    "changes",
    [{}, {"encoder-layerdrop": 0.4, "decoder-layerdrop": 0.3}, {"residual-scheme": "admin"}],
    ids=["plain", "layerdrop", "admin"],
)
def test_the_training_is_bit_for_bit_the_same(
    toy: Recipe, tmp_path: Path, changes: Dict[str, Any]
) -> None:
    states = []
    for name, flags in (("without", []), ("with", [*MEASURING, "--stability-guard"])):
        train_here(toy, tmp_path / name, *flags, dropout=0.2, **changes)
        states.append(
            checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / name / "checkpoint_last.pt"))
        )
    without, measured_too = states
    assert without["extra_state"]["val_loss"] == measured_too["extra_state"]["val_loss"]
    for (name, old), new in zip(
        without["model"].items(), measured_too["model"].values(), strict=True
    ):
        assert torch.equal(old, new) or "_float_tensor" in name, name
    moments = [state["last_optimizer_state"]["state"] for state in states]
    assert len(moments[0]) > 40
    for old, new in zip(moments[0].values(), moments[1].values(), strict=True):
        assert torch.equal(old["exp_avg"], new["exp_avg"]) and torch.equal(
            old["exp_avg_sq"], new["exp_avg_sq"]
        )


@pytest.mark.parametrize("update_freq", [1, 2])
def test_under_plain_sgd_each_layer_moves_by_its_gradient_times_the_learning_rate(
    toy: Recipe, tmp_path: Path, update_freq: int
) -> None:
    train_here(toy, tmp_path, *MEASURING, **SGD, **{"update-freq": update_freq})
    values = measured(tmp_path)
    assert checkpoint_updates(tmp_path, "model_step") == [1, 2, 3]  # once per update
    for update in (1, 2, 3):
        for layer in LAYERS:
            gradient, moved = (
                values[(update, *layer, quantity)] for quantity in ("gradient_norm", "update_norm")
            )
            assert gradient > 0
            assert moved == pytest.approx(1.5 * gradient, rel=FLOAT32)


def test_gradients_are_those_after_clipping(toy: Recipe, tmp_path: Path) -> None:
    train_here(toy, tmp_path / "free", *MEASURING, **SGD)
    train_here(toy, tmp_path / "clipped", *MEASURING, **{**SGD, "clip_norm": 1e-3})
    free, clipped = measured(tmp_path / "free"), measured(tmp_path / "clipped")
    shares = [
        clipped[(1, *layer, "gradient_norm")] / free[(1, *layer, "gradient_norm")]
        for layer in LAYERS
    ]
    assert shares == pytest.approx([shares[0]] * len(LAYERS), rel=FLOAT32)
    assert (
        sum(clipped[(1, *layer, "gradient_norm")] ** 2 for layer in LAYERS) < 1e-6
    )  # the embedding has the rest
    for layer in LAYERS:
        assert clipped[(2, *layer, "update_norm")] == pytest.approx(
            1.5 * clipped[(2, *layer, "gradient_norm")], rel=0.05
        )


class Recorder(Probe):
    """A probe that keeps its batch, and a copy of the model that it sees first."""

    made: "List[Recorder]" = []

    def __init__(self, sample: Dict[str, Any], source: Any) -> None:
        super().__init__(sample, source)
        self.sample, self.first = copy.deepcopy(sample), None
        Recorder.made.append(self)

    def __call__(self, model: Any, layers: bool = False) -> Outputs:
        if self.first is None:
            self.first = copy.deepcopy(model)
        return super().__call__(model, layers)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> List[Recorder]:
    monkeypatch.setattr(Recorder, "made", [])
    monkeypatch.setattr(monitor, "Probe", Recorder)
    return Recorder.made


def features(model: Any, sample: Dict[str, Any]) -> Tensor:
    """The decoder's last hidden states, by the model's own forward, without padding."""
    inputs = sample["net_input"]
    with torch.no_grad():
        encoded = model.eval().encoder(inputs["src_tokens"], inputs["src_lengths"])
        values, _ = model.decoder.extract_features(inputs["prev_output_tokens"], encoded)
    return values[sample["target"].ne(1)]


def norm(tensors: List[Tensor]) -> float:
    return sum(float(t.double().pow(2).sum()) for t in tensors) ** 0.5


def test_measurements_are_those_of_the_checkpoints(
    toy: Recipe, tmp_path: Path, recorded: List[Recorder]
) -> None:
    train_here(
        toy, tmp_path, *MEASURING, "--save-interval-updates", 1, **{"keep-interval-updates": None}
    )
    values, [probe] = measured(tmp_path), recorded
    paths = {update: tmp_path / f"checkpoint_1_{update}.pt" for update in (1, 2, 3)}
    models = {
        update: checkpoint_utils.load_model_ensemble([str(path)])[0][0]
        for update, path in paths.items()
    }
    outputs = {
        0: features(probe.first, probe.sample),
        **{u: features(model, probe.sample) for u, model in models.items()},
    }
    states = {0: probe.first.state_dict(), **{u: weights(path) for u, path in paths.items()}}
    for update in (1, 2, 3):
        step, whole = (
            (outputs[update] - outputs[old]).norm() / outputs[old].norm() for old in (update - 1, 0)
        )
        # At update 1, whose learning rate is 1e-7, it is rounding that is left.
        tolerance = dict(rel=1e-3) if update > 1 else dict(abs=1e-6)
        assert values[update, "model", 0, "model_step"] == pytest.approx(step.item(), **tolerance)
        assert values[update, "model", 0, "model_update"] == pytest.approx(
            whole.item(), **tolerance
        )
        for stack, layer in LAYERS:
            names = [
                name
                for name, _ in probe.first.named_parameters()
                if name.startswith(f"{stack}.stack.layers.{layer - 1}.")
            ]
            assert len(names) == {"encoder": 12, "decoder": 20}[stack]
            moved = norm([states[update][name] - states[update - 1][name] for name in names])
            assert values[update, stack, layer, "update_norm"] == pytest.approx(
                moved, rel=SIX_DIGITS
            )
            size = norm([states[update][name] for name in names])
            assert values[update, stack, layer, "weight_norm"] == pytest.approx(
                size, rel=SIX_DIGITS
            )
        last = values[update, "decoder", 3, "output_variance"]
        assert last == pytest.approx(outputs[update].var().item(), rel=SIX_DIGITS)
        change = values[update, "decoder", 3, "output_change"]
        assert change == values[update, "model", 0, "model_update"]


@pytest.mark.parametrize("scheme", ["deepnorm", "admin", "branchnorm"])
def test_at_the_first_update_step_and_update_are_one(
    toy: Recipe, tmp_path: Path, scheme: str
) -> None:
    train_here(
        toy, tmp_path, "--stability-interval", 2, "--residual-scheme", scheme, warmup_init_lr=1e-3
    )
    values = measured(tmp_path)
    assert checkpoint_updates(tmp_path, "model_update") == [0, 1, 2]
    assert values[0, "model", 0, "model_update"] == 0
    assert values[1, "model", 0, "model_update"] == values[1, "model", 0, "model_step"] > 0
    assert (0, "model", 0, "model_step") not in values
    assert {m.stack for m in read(tmp_path / FILE_NAME)} == {"model"}  # no layers unless asked for


def scalars(folder: Path) -> Dict[str, Dict[int, float]]:
    """All scalars in TensorBoard's event files below a folder, by name and update."""
    values: Dict[str, Dict[int, float]] = {}
    for path in folder.rglob("events.out.*"):
        for event in records(path.read_bytes()):
            for value in event.summary.value:
                values.setdefault(value.tag, {})[event.step] = value.simple_value
    return values


def records(data: bytes) -> Iterator[Event]:
    """The records of a file: length (8 bytes), checksum (4), content, checksum (4)."""
    place = 0
    while place < len(data):
        [length] = struct.unpack_from("<Q", data, place)
        yield Event.FromString(data[place + 12 : place + 12 + length])
        place += length + 16


def test_the_log_and_tensorboard_show_what_the_file_has(
    toy: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers: List[Any] = []

    class KeptWriter(progress_bar.SummaryWriter):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            writers.append(self)

    monkeypatch.setattr(progress_bar, "SummaryWriter", KeptWriter)
    lines = train_here(
        toy, tmp_path, *MEASURING, "--tensorboard-logdir", tmp_path / "board", warmup_init_lr=1e-3
    )
    values, [shown] = measured(tmp_path), [line for line in lines if "num_updates=2," in line]
    for quantity in ("model_update", "model_step", "shuffled_source_nll_gap", "probe_nll"):
        assert f" {quantity}={round(values[2, 'model', 0, quantity], 5):g}," in shown
    for writer in writers:  # as at the end of the process
        writer.close()
    board = scalars(tmp_path / "board/train_inner")
    for quantity in ("model_update", "model_step", "shuffled_source_nll_gap", "probe_nll"):
        assert board[quantity] == pytest.approx(
            {u: values[u, "model", 0, quantity] for u in (1, 2, 3)}, abs=1e-5
        )


def test_a_training_that_goes_on_adds_to_the_file_and_says_from_where_it_counts(
    toy: Recipe, tmp_path: Path
) -> None:
    train_here(toy, tmp_path, *MEASURING, max_update=2)
    first = (tmp_path / FILE_NAME).read_text()
    lines = train_here(toy, tmp_path, *MEASURING, max_update=4)
    text = (tmp_path / FILE_NAME).read_text()
    assert text.startswith(first) and text.count("update,stack") == 1
    assert "stability: model_update counts from update 2, where this run started" in lines
    assert sorted({m.update for m in read(tmp_path / FILE_NAME)}) == [0, 1, 2, 3, 4]
    values = measured(tmp_path)
    assert values[3, "model", 0, "model_update"] == values[3, "model", 0, "model_step"]
    assert values[4, "model", 0, "model_update"] > values[4, "model", 0, "model_step"] * 1.2


REFUSED = [
    (dict(stability_interval=0), "--stability-interval is 0; it must be at least 1"),
    (
        dict(stability_interval=-5, stability_guard=True),
        "--stability-interval is -5; it must be at least 1",
    ),
    (dict(stability_layers=True), "--stability-layers needs --stability-interval"),
]


@pytest.mark.parametrize(("flags", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_flags_that_ask_for_nothing_are_refused_by_name(
    flags: Dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError) as error:
        build_monitor(Namespace(**flags))
    assert str(error.value) == message


def test_refused_flags_stop_fairseq_train_before_it_writes(toy: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--stability-layers needs --stability-interval"):
        train_here(toy, tmp_path / "none", "--stability-layers")
    assert not list((tmp_path / "none").glob("*"))


def test_without_flags_nothing_is_measured(toy: Recipe, tmp_path: Path) -> None:
    assert build_monitor(Namespace()) is None
    train_here(toy, tmp_path)
    assert not (tmp_path / FILE_NAME).exists()


def test_the_guard_alone_measures_every_hundred_updates(tmp_path: Path) -> None:
    built = build_monitor(Namespace(stability_guard=True, save_dir=str(tmp_path)))
    assert built is not None and (built.interval, built.layers) == (100, False)


@pytest.mark.parametrize(
    "precision", [["--bf16"], ["--fp16", "--fp16-init-scale", "128"]], ids=["bf16", "fp16"]
)
def test_half_precision_measures_what_full_precision_does(
    toy: Recipe, tmp_path: Path, precision: List[str]
) -> None:
    values = []
    for name, flags in (("full", []), ("half", precision)):
        train_here(
            toy,
            tmp_path / name,
            *MEASURING,
            *flags,
            dropout=0.0,
            clip_norm=0.5,
            warmup_init_lr=5e-3,
            max_update=1,
        )
        values.append(measured(tmp_path / name))
    full, half = values
    assert half[1, "model", 0, "probe_nll"] == pytest.approx(
        full[1, "model", 0, "probe_nll"], rel=0.02
    )
    for quantity in ("gradient_norm", "update_norm", "weight_norm"):
        for layer in LAYERS:
            assert half[(1, *layer, quantity)] == pytest.approx(
                full[(1, *layer, quantity)], rel=0.05
            ), (layer, quantity)


# ---- the guard ----

JUMP = dict(
    lr_scheduler="fixed", lr="0.001,1000", warmup_updates=None, warmup_init_lr=None
)  # in the second epoch
EPOCH = 8  # updates


def hashes(folder: Path) -> Dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.pt"))
    }


def run_until_stopped(
    recipe: Recipe, save_dir: Path, launcher: List[str], flags: List[Any]
) -> subprocess.CompletedProcess:
    """The toy training in processes of its own, in whose second epoch the learning rate is 1000."""
    save_dir.mkdir(exist_ok=True)
    training = {
        **recipe.training,
        **{name.replace("_", "-"): value for name, value in JUMP.items()},
        "tensorboard-logdir": None,
    }
    words = replace(recipe, training=training).training_command(cpu=True)[1:]
    words[words.index("--save-dir") + 1] = str(save_dir)
    words[words.index("--log-file") + 1] = str(save_dir / "train.log")
    program = [
        sys.executable,
        *launcher,
        "-m",
        "fairseq_cli.train",
        *words,
        *map(str, flags),
        "--max-update",
        str(3 * EPOCH),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(program, env=environment, capture_output=True, text=True, timeout=240)


def test_an_absurd_learning_rate_ends_the_training_with_one_message_and_old_checkpoints(
    toy: Recipe, tmp_path: Path
) -> None:
    flags = ["--stability-interval", 1, "--stability-guard"]
    train_here(toy, tmp_path, *flags, max_update=EPOCH, **JUMP)
    before = hashes(tmp_path)
    assert set(before) == {"checkpoint_best.pt", "checkpoint_last.pt"}
    done = run_until_stopped(
        toy,
        tmp_path,
        [],
        [*flags, "--stability-layers", "--tensorboard-logdir", tmp_path / "board"],
    )
    assert done.returncode == 1
    [message] = [line for line in done.stderr.splitlines() if "stopped at" in line]
    assert message.startswith(
        f"fairseq-train: stopped at update {EPOCH + 1}: this single update changed the model's "
        "output by "
    )
    assert done.stderr.splitlines()[-1] == message
    assert "Traceback" not in done.stderr + done.stdout
    assert hashes(tmp_path) == before
    assert checkpoint_updates(tmp_path, "model_step")[-1] == EPOCH + 1  # what was measured is kept
    values, board = measured(tmp_path), scalars(tmp_path / "board/stability")
    for stack, layer in LAYERS:
        for quantity in (
            "gradient_norm",
            "update_norm",
            "weight_norm",
            "output_variance",
            "output_change",
        ):
            value = board[f"{quantity}/{stack}_{layer:03}"][EPOCH + 1]
            assert value == pytest.approx(values[EPOCH + 1, stack, layer, quantity], rel=SIX_DIGITS)


def test_the_guard_stops_before_the_first_checkpoint_too(
    toy: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MAX_MODEL_STEP", 1e-4)
    with pytest.raises(SystemExit, match=r"^fairseq-train: stopped at update 2: .* \(limit 0%\)"):
        train_here(toy, tmp_path, "--stability-guard", "--stability-interval", 2)
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_healthy_training_is_not_stopped(toy: Recipe, tmp_path: Path) -> None:
    train_here(toy, tmp_path, "--stability-guard", "--stability-interval", 1)
    assert checkpoint_updates(tmp_path, "model_step") == [1, 2, 3]


TWO = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def test_of_two_processes_the_first_measures_and_its_guard_stops_both(
    toy: Recipe, tmp_path: Path
) -> None:
    flags = [
        *MEASURING,
        "--distributed-backend",
        "gloo",
        "--ddp-backend",
        "legacy_ddp",
        "--dropout",
        0,
    ]
    done = run_until_stopped(toy, tmp_path / "two", TWO, [*flags, "--stability-guard"])
    assert done.returncode == 1
    assert done.stderr.count("fairseq-train: stopped at update 5: this single update") == 1
    assert done.stderr.count("fairseq-train: stopped by the first process's guard") == 1
    assert checkpoint_updates(tmp_path / "two", "model_step") == [
        1,
        2,
        3,
        4,
        5,
    ]  # an epoch is half as long
    assert (
        len(read(tmp_path / "two" / FILE_NAME))
        == len((tmp_path / "two" / FILE_NAME).read_text().splitlines()) - 1
    )
    train_here(
        toy, tmp_path / "one", *flags, "--update-freq", 2, dropout=0.0, **{**JUMP, "lr": 1e-3}
    )
    two, one = measured(tmp_path / "two"), measured(tmp_path / "one")
    assert {key for key in two if key[0] == 3} == {key for key in one if key[0] == 3}
    for key in one:
        if key[0] <= 3:
            assert two[key] == pytest.approx(one[key], rel=1e-3, abs=1e-5), key
