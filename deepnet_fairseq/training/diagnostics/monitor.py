"""Measuring inside fairseq-train: what `--stability-interval` asks of the task.

Every so many updates the monitor takes the model before and after a single update: its output on a fixed batch (the first that it
trains on), and with `--stability-layers` every layer's gradient, update and output. It consumes no random numbers and changes no weight, so
the training is the same as without it. A training that goes on from a checkpoint has a batch and a start of its own: model_update counts
from there.
"""

import logging
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from fairseq.logging import metrics
from fairseq.optim import FairseqOptimizer
from torch import Tensor, nn

from deepnet_fairseq.network.model import DeepNetTransformer
from deepnet_fairseq.training.diagnostics import measurements as names
from deepnet_fairseq.training.diagnostics.guard import Guard
from deepnet_fairseq.training.diagnostics.measurements import Measurement, Writer
from deepnet_fairseq.training.diagnostics.probe import (
    LayerName,
    Outputs,
    Probe,
    relative_change,
    unwrap,
)

logger = logging.getLogger(__name__)

DEFAULT_INTERVAL = 100


def add_flags(parser: ArgumentParser) -> None:
    """Add the flags that `build_monitor` reads."""
    parser.add_argument(
        "--stability-interval",
        type=int,
        metavar="N",
        help="measure the size of the model's update every N updates and at the first; into the log, TensorBoard and stability.csv beside "
        "the checkpoints. Costs about three forward passes over some 512 tokens each time",
    )
    parser.add_argument(
        "--stability-layers",
        action="store_true",
        help="with --stability-interval: also each layer's gradient norm, update norm and output variance, into stability.csv and "
        "TensorBoard. Costs a copy of all weights while an update is measured, and some 512 tokens' output of every layer all the time",
    )
    parser.add_argument(
        "--stability-guard",
        action="store_true",
        help="stop with a message, leaving all checkpoints as they are, when a single update overturns the model, when its encoder "
        "collapses, or when it no longer looks at its source; measured every --stability-interval updates (default with this flag: "
        f"{DEFAULT_INTERVAL})",
    )


def build_monitor(args: Namespace) -> "Optional[Monitor]":
    """The monitor that the flags ask for, if any. Raises ValueError, naming the flag, for those that ask for nothing."""
    interval, guard, layers = (
        getattr(args, f"stability_{name}", None) for name in ("interval", "guard", "layers")
    )
    if interval is not None and interval < 1:
        raise ValueError(f"--stability-interval is {interval}; it must be at least 1")
    if interval is None and not guard:
        if layers:
            raise ValueError("--stability-layers needs --stability-interval")
        return None
    folder = Path(getattr(args, "save_dir", "checkpoints"))
    return Monitor(
        interval or DEFAULT_INTERVAL,
        folder,
        bool(layers),
        getattr(args, "tensorboard_logdir", None),
        Guard() if guard else None,
    )


class Monitor:
    """Measures around every interval-th update, on the first of several processes; the others learn only whether to stop.

    Args: interval: in updates; folder: where stability.csv goes; layers: whether every layer is measured; tensorboard: its folder, or
    None; guard: what stops the training, or None.
    """

    def __init__(
        self,
        interval: int,
        folder: Path,
        layers: bool,
        tensorboard: Optional[str],
        guard: Optional[Guard],
    ) -> None:
        self.interval = interval
        self.layers = layers
        self.writer = Writer(folder / names.FILE_NAME)
        self.tensorboard_folder = tensorboard
        self.tensorboard: Any = (
            None  # opened with the first measurement, and so by the first process alone
        )
        self.guard = guard
        self.probe: Optional[Probe] = None
        self.start: Optional[Outputs] = None  # F(x, θ_0)
        self.latest: Dict[str, float] = {}
        self.rows: List[Measurement] = []

    def begin(self, sample: Dict[str, Any], source: Any) -> None:
        """Before a batch's forward pass: the first batch becomes the probe."""
        if self.probe is None and _is_first() and "net_input" in sample:
            self.probe = Probe(sample, source)
            if self.probe.other is None:
                logger.warning(
                    "stability: no two sentences of the first batch ask for the same language: source_gap cannot be measured"
                )

    def _measure_start(self, model: nn.Module, update: int) -> None:
        """The model that all later ones are compared with; after so many updates, and after the forward pass in which Admin profiles."""
        self.layers = self.layers and isinstance(model, DeepNetTransformer)
        if self.layers and self.tensorboard_folder:
            self.tensorboard = _tensorboard(self.tensorboard_folder)
        self.start = self.probe(model, self.layers)
        if update:
            logger.info(
                "stability: model_update counts from update %d, where this run started", update
            )
        self._add_layers(
            update, names.VARIANCE, {name: x.var().item() for name, x in self.start.layers.items()}
        )
        start = {
            names.SOURCE_GAP: self.start.source_gap,
            names.ENCODER_SPREAD: self.start.encoder_spread,
            names.NLL: self.start.nll,
        }
        # Of a training that goes on, the earlier run has measured model_update here, from its own start.
        self._write(update, start if update else {names.MODEL_UPDATE: 0.0, **start})

    def step(self, optimizer: FairseqOptimizer, model: nn.Module, update: int) -> None:
        """Take the step that leads to so many updates, and measure it if it is one of those. Raises SystemExit if the guard says so."""
        if self.probe is not None and self.start is None:
            self._measure_start(unwrap(model), update - 1)
        due = update == 1 or update % self.interval == 0
        if due and self.probe is not None:
            self._measured_step(optimizer, unwrap(model), update)
        else:
            optimizer.step()
        for (
            name,
            value,
        ) in (
            self.latest.items()
        ):  # at every update: fairseq would write None for those without a measurement
            metrics.log_scalar(name, value, weight=0, priority=450, round=5)
        if self.guard is not None and due:
            self._heed_guard(model)

    def _measured_step(self, optimizer: FairseqOptimizer, model: nn.Module, update: int) -> None:
        before = self.probe(model)
        weights = layer_parameters(model) if self.layers else {}
        # In half precision fairseq keeps apart by what the gradients are yet to be multiplied: loss scale, batch size, clipping.
        factor = float(getattr(optimizer, "_multiply_factor", 1.0))
        gradients = {
            name: factor * _norm([p.grad for p in ps if p.grad is not None])
            for name, ps in weights.items()
        }
        self._add_layers(update, names.GRADIENT, gradients)
        copies = {name: [p.detach().clone() for p in ps] for name, ps in weights.items()}
        optimizer.step()
        after = self.probe(model, self.layers)
        for name, parameters in weights.items():
            torch._foreach_sub_(copies[name], [p.detach() for p in parameters])
        self._add_layers(
            update, names.UPDATE, {name: _norm(changes) for name, changes in copies.items()}
        )
        self._add_layers(
            update,
            names.WEIGHT,
            {name: _norm([p.detach() for p in ps]) for name, ps in weights.items()},
        )
        self._add_layers(
            update, names.VARIANCE, {name: x.var().item() for name, x in after.layers.items()}
        )
        self._add_layers(
            update,
            names.CHANGE,
            {n: relative_change(x, self.start.layers[n]) for n, x in after.layers.items()},
        )
        found = {
            names.MODEL_UPDATE: relative_change(after.features, self.start.features),
            names.MODEL_STEP: relative_change(after.features, before.features),
            names.SOURCE_GAP: after.source_gap,
            names.ENCODER_SPREAD: after.encoder_spread,
            names.NLL: after.nll,
        }
        self.latest = found
        if self.guard is not None:
            self.guard.heed(update, found[names.MODEL_STEP], after.source_gap, after.encoder_spread)
        self._write(update, found)

    def _add_layers(self, update: int, quantity: str, values: Dict[LayerName, float]) -> None:
        for (stack, layer), value in values.items():
            self.rows.append(Measurement(update, stack, layer, quantity, value))
            if self.tensorboard is not None:
                self.tensorboard.add_scalar(f"{quantity}/{stack}_{layer:03}", value, update)

    def _write(self, update: int, model: Dict[str, float]) -> None:
        self.writer.write(
            [
                *(Measurement(update, "model", 0, name, value) for name, value in model.items()),
                *self.rows,
            ]
        )
        self.rows = []

    def _heed_guard(self, model: nn.Module) -> None:
        """Stop all processes if the first one's guard has something to say."""
        complaint = self.guard.complaint
        if _are_many():
            device = next(model.parameters()).device
            flag = torch.tensor(float(complaint is not None), device=device)
            torch.distributed.broadcast(flag, src=0)
            complaint = complaint or ("stopped by the first process's guard" if flag else None)
        if complaint is not None:
            raise SystemExit(f"fairseq-train: {complaint}")


def layer_parameters(model: DeepNetTransformer) -> Dict[LayerName, List[nn.Parameter]]:
    """The weights of every layer that are trained."""
    return {
        (stack, number): [p for p in layer.parameters() if p.requires_grad]
        for stack in ("encoder", "decoder")
        for number, layer in enumerate(
            getattr(model, stack).stack.layers.children(), start=1
        )  # iterated, LayerDrop would leave some out
    }


def _norm(tensors: List[Tensor]) -> float:
    """The L2 norm of all of them together."""
    # in single precision: in half, the norm of a scaled gradient may be beyond the largest number
    return (
        torch.stack([torch.linalg.vector_norm(t, dtype=torch.float32) for t in tensors])
        .norm()
        .item()
        if tensors
        else 0.0
    )


def _is_first() -> bool:
    return not _are_many() or torch.distributed.get_rank() == 0


def _are_many() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _tensorboard(folder: str) -> Any:
    from tensorboardX import SummaryWriter  # slow to import, and only wanted here

    return SummaryWriter(str(Path(folder) / "stability"))
