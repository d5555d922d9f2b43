"""Measures a training inside fairseq-train, as `--stability-interval` asks.

Every N updates the monitor measures the model before and after a single update: its output on a
fixed batch (the first training batch) and, with `--stability-layers`, each layer's gradient, update
and output. It consumes no random numbers and changes no weight, so the training is the same as
without it. A resumed training has a batch and a start of its own: model_update counts from there.
"""

import logging
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from fairseq.logging import metrics
from fairseq.optim import FairseqOptimizer
from torch import Tensor, nn

from deepnet_fairseq.errors import UsageError
from deepnet_fairseq.network.model import DeepNetTransformer
from deepnet_fairseq.training.diagnostics import measurements as names
from deepnet_fairseq.training.diagnostics.guard import Guard
from deepnet_fairseq.training.diagnostics.measurements import Measurement, Writer
from deepnet_fairseq.training.diagnostics.probe import (
    LayerName,
    Outputs,
    Probe,
    relative_change,
    total_norm,
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
        help="measure how far an update moves the model, every N updates and at the first; results "
        "go to the log, to TensorBoard and to stability.csv beside the checkpoints. Costs about "
        "three forward passes over some 512 tokens each time",
    )
    parser.add_argument(
        "--stability-layers",
        action="store_true",
        help="with --stability-interval: also measure each layer's gradient norm, update norm, "
        "weight norm, output variance and output change; results go to stability.csv and "
        "TensorBoard. Costs a copy of all weights while an update is measured, and the output of "
        "each layer for some 512 tokens all the time",
    )
    parser.add_argument(
        "--stability-guard",
        action="store_true",
        help="stop with a message, leaving all checkpoints as they are, if a single update "
        "overturns the model, if its encoder collapses (low token_variance_ratio), or if it no "
        "longer uses the source (low shuffled_source_nll_gap); measured every "
        f"--stability-interval updates (default with this flag: {DEFAULT_INTERVAL})",
    )


def build_monitor(args: Namespace) -> "Optional[Monitor]":
    """Return the monitor that the flags ask for, None if they ask for none.

    Raises:
        UsageError: a flag has no effect or no meaningful value. The message names it.
    """
    interval, guard, layers = (
        getattr(args, f"stability_{name}", None) for name in ("interval", "guard", "layers")
    )
    if interval is not None and interval < 1:
        raise UsageError(f"--stability-interval is {interval}; it must be at least 1")
    if interval is None and not guard:
        if layers:
            raise UsageError("--stability-layers needs --stability-interval")
        return None
    return Monitor(
        interval or DEFAULT_INTERVAL,
        Path(getattr(args, "save_dir", "checkpoints")),
        bool(layers),
        getattr(args, "tensorboard_logdir", None),
        Guard() if guard else None,
    )


class Monitor:
    """Measures around every interval-th update.

    Of several processes the first one measures; the others only learn whether to stop.

    Args:
        interval: in updates.
        folder: where stability.csv goes.
        layers: whether to measure each layer.
        tensorboard: folder of TensorBoard's files, or None.
        guard: stops the training if it cannot recover, or None.
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
        # Opened with the first measurement, and so only by the first process.
        self.tensorboard: Any = None
        self.guard = guard
        self.probe: Optional[Probe] = None
        self.start: Optional[Outputs] = None  # F(x, θ_0)
        self.latest: Dict[str, float] = {}
        self.rows: List[Measurement] = []

    def begin(self, sample: Dict[str, Any], source: Any) -> None:
        """Take the first batch as the probe; called before each batch's forward pass."""
        if self.probe is None and _is_first_process() and "net_input" in sample:
            self.probe = Probe(sample, source)
            if self.probe.permutation is None:
                logger.warning(
                    "stability: no two sentences of the first batch ask for the same language: "
                    "%s cannot be measured",
                    names.NLL_GAP,
                )

    def step(self, optimizer: FairseqOptimizer, model: nn.Module, update: int) -> None:
        """Take an optimizer step, and measure it if it is due.

        Args:
            optimizer: fairseq's.
            model: the model, or a wrapper of it.
            update: the number of the update that the step makes, from 1.

        Raises:
            SystemExit: the guard stops the training.
        """
        if self.probe is not None and self.start is None:
            self._measure_start(unwrap(model), update - 1)
        due = update == 1 or update % self.interval == 0
        if due and self.probe is not None:
            self._measured_step(optimizer, unwrap(model), update)
        else:
            optimizer.step()
        # At every update: fairseq would write None for those without a measurement.
        for name, value in self.latest.items():
            metrics.log_scalar(name, value, weight=0, priority=450, round=5)
        if self.guard is not None and due:
            self._stop_if_guard_complains(model)

    def _measure_start(self, model: nn.Module, update: int) -> None:
        """Measure the model that all later ones are compared with.

        This is after the first forward pass, in which Admin profiles.
        """
        self.layers = self.layers and isinstance(model, DeepNetTransformer)
        if self.layers and self.tensorboard_folder:
            self.tensorboard = _open_tensorboard(self.tensorboard_folder)
        self.start = self.probe(model, self.layers)
        if update:
            logger.info(
                "stability: model_update counts from update %d, where this run started", update
            )
        self._add_layers(update, names.VARIANCE, _variances(self.start))
        # If the training is resumed, the earlier run has measured its model_update here.
        values = {} if update else {names.MODEL_UPDATE: 0.0}
        self._write(update, {**values, **_model_values(self.start)})

    def _measured_step(self, optimizer: FairseqOptimizer, model: nn.Module, update: int) -> None:
        before = self.probe(model)
        weights = layer_parameters(model) if self.layers else {}
        self._add_layers(update, names.GRADIENT, _gradient_norms(optimizer, weights))
        copies = {name: [p.detach().clone() for p in ps] for name, ps in weights.items()}
        optimizer.step()
        after = self.probe(model, self.layers)
        for name, parameters in weights.items():
            torch._foreach_sub_(copies[name], [p.detach() for p in parameters])
        self._add_layers(update, names.UPDATE, {n: total_norm(d) for n, d in copies.items()})
        norms = {n: total_norm([p.detach() for p in ps]) for n, ps in weights.items()}
        self._add_layers(update, names.WEIGHT, norms)
        self._add_layers(update, names.VARIANCE, _variances(after))
        changes = {n: relative_change(x, self.start.layers[n]) for n, x in after.layers.items()}
        self._add_layers(update, names.CHANGE, changes)
        model_step = relative_change(after.features, before.features)
        self.latest = {
            names.MODEL_UPDATE: relative_change(after.features, self.start.features),
            names.MODEL_STEP: model_step,
            **_model_values(after),
        }
        if self.guard is not None:
            self.guard.update(
                update, model_step, after.shuffled_source_nll_gap, after.token_variance_ratio
            )
        self._write(update, self.latest)

    def _add_layers(self, update: int, quantity: str, values: Dict[LayerName, float]) -> None:
        for (stack, layer), value in values.items():
            self.rows.append(Measurement(update, stack, layer, quantity, value))
            if self.tensorboard is not None:
                self.tensorboard.add_scalar(f"{quantity}/{stack}_{layer:03}", value, update)

    def _write(self, update: int, values: Dict[str, float]) -> None:
        model = [Measurement(update, "model", 0, name, value) for name, value in values.items()]
        self.writer.write([*model, *self.rows])
        self.rows = []

    def _stop_if_guard_complains(self, model: nn.Module) -> None:
        """Stop all processes if the first one's guard has a complaint."""
        complaint = self.guard.complaint
        if _is_distributed():
            device = next(model.parameters()).device
            flag = torch.tensor(float(complaint is not None), device=device)
            torch.distributed.broadcast(flag, src=0)
            complaint = complaint or ("stopped by the first process's guard" if flag else None)
        if complaint is not None:
            raise SystemExit(f"fairseq-train: {complaint}")


def layer_parameters(model: DeepNetTransformer) -> Dict[LayerName, List[nn.Parameter]]:
    """Return the trained weights of each layer."""
    parameters = {}
    for stack in ("encoder", "decoder"):
        # children(): iterating over the list would leave some out under LayerDrop.
        layers = getattr(model, stack).stack.layers.children()
        for number, layer in enumerate(layers, start=1):
            parameters[stack, number] = [p for p in layer.parameters() if p.requires_grad]
    return parameters


def _gradient_norms(
    optimizer: FairseqOptimizer, weights: Dict[LayerName, List[nn.Parameter]]
) -> Dict[LayerName, float]:
    # In half precision fairseq keeps the factor that gradients are yet to be multiplied by (loss
    # scale, batch size, clipping) apart from them.
    factor = float(getattr(optimizer, "_multiply_factor", 1.0))
    norms = {}
    for name, parameters in weights.items():
        gradients: List[Tensor] = [p.grad for p in parameters if p.grad is not None]
        norms[name] = factor * total_norm(gradients)
    return norms


def _variances(outputs: Outputs) -> Dict[LayerName, float]:
    return {name: x.var().item() for name, x in outputs.layers.items()}


def _model_values(outputs: Outputs) -> Dict[str, float]:
    return {
        names.NLL_GAP: outputs.shuffled_source_nll_gap,
        names.TOKEN_VARIANCE_RATIO: outputs.token_variance_ratio,
        names.NLL: outputs.nll,
    }


def _is_first_process() -> bool:
    return not _is_distributed() or torch.distributed.get_rank() == 0


def _is_distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _open_tensorboard(folder: str) -> Any:
    from tensorboardX import SummaryWriter  # slow to import, and needed here only

    return SummaryWriter(str(Path(folder) / "stability"))
