"""Half precision without a GPU, and warnings that each training and translation used to show."""

import logging
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Tuple

import pytest
import torch
from fairseq.checkpoint_utils import load_checkpoint_to_cpu
from fairseq.modules import MultiheadAttention
from fairseq.optim.amp_optimizer import AMPOptimizer
from fairseq.optim.fp16_optimizer import FP16Optimizer
from fairseq.tasks.fairseq_task import FairseqTask
from fairseq_cli import train
from omegaconf import OmegaConf
from support.fairseq_commands import SMALL
from torch import Tensor, nn


@pytest.mark.patch("torch-amp-names")
@pytest.mark.patch("attention-masks-of-one-kind")
@pytest.mark.patch("pin-memory-only-for-cuda")
@pytest.mark.parametrize("step", ["train", "resume", "generate"])
def test_commands_warn_of_nothing(step: str, journey: Dict[str, Any]) -> None:
    lines = (journey[step].stdout + journey[step].stderr).splitlines()
    assert [line for line in lines if "Warning" in line or "deprecat" in line] == []


class Line(nn.Linear):
    """A model as far as `train_step` needs one."""

    def set_num_updates(self, num_updates: int) -> None:
        """Nothing depends on it."""


@pytest.mark.patch("torch-amp-names")
def test_train_step_computes_loss_and_gradient_without_a_deprecation() -> None:
    model, sample = Line(3, 1, bias=False), torch.tensor([[1.0, 2.0, 4.0]])

    def criterion(model: nn.Module, sample: Tensor) -> Tuple[Tensor, int, Dict[str, float]]:
        assert not torch.is_autocast_enabled("cuda")
        return model(sample).sum(), 1, {}

    optimizer = SimpleNamespace(backward=lambda loss: loss.backward())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss, _, _ = FairseqTask.train_step(None, sample, model, criterion, optimizer, 0)
    torch.testing.assert_close(model.weight.grad, sample)
    torch.testing.assert_close(loss, model(sample).sum())


@pytest.mark.patch("fp16-on-cpu")
def test_half_precision_parameters_on_the_cpu_get_a_flat_float32_copy() -> None:
    parameters = [
        nn.Parameter(torch.tensor(values).half()) for values in ([[1.0, 2.0, 3.0]], [4.0, 5.0])
    ]
    [copy] = FP16Optimizer.build_fp32_params(SimpleNamespace(), parameters).values()
    assert copy.dtype == torch.float32
    assert copy.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.patch("fp16-on-cpu")
def test_gradients_in_half_precision_reach_the_float32_copy_on_the_cpu() -> None:
    parameters = [
        nn.Parameter(torch.tensor(values).half()) for values in ([[1.0, 2.0, 3.0]], [4.0, 5.0])
    ]
    optimizer = SimpleNamespace(
        _needs_sync=True,
        has_flat_params=True,
        fp16_params=parameters,
        fp32_params=FP16Optimizer.build_fp32_params(SimpleNamespace(), parameters),
    )
    for number, parameter in enumerate(parameters, start=1):
        parameter.grad = torch.full_like(parameter, number)
    FP16Optimizer._sync_fp16_grads_to_fp32(optimizer)
    [copy] = optimizer.fp32_params.values()
    assert copy.grad.tolist() == [1.0, 1.0, 1.0, 2.0, 2.0]


@pytest.mark.patch("fp16-on-cpu")
def test_an_overflow_in_half_precision_on_the_cpu_is_skipped_and_training_goes_on(
    toy_data: Path,
    in_process: Callable[..., None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    flags = ["--fp16", "--fp16-init-scale", 2**24, "--max-update", 2, "--save-dir", tmp_path]
    with caplog.at_level(logging.INFO):
        in_process(train, toy_data, *SMALL, *flags)
    assert "gradient overflow detected" in caplog.text
    assert (
        load_checkpoint_to_cpu(str(tmp_path / "checkpoint_last.pt"))["optimizer_history"][-1][
            "num_updates"
        ]
        == 2
    )


@pytest.mark.patch("torch-amp-names")
def test_amp_scales_the_loss_without_a_deprecation() -> None:
    config = OmegaConf.create(
        {"optimizer": {}, "common": {"fp16_init_scale": 32, "min_loss_scale": 0.5}}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        optimizer = AMPOptimizer(config, [], None)
    scale = (
        32 if torch.cuda.is_available() else 1
    )  # torch disables the scaler where there is no CUDA
    assert optimizer._grad_scaler.get_scale() == scale


@pytest.mark.patch("attention-masks-of-one-kind")
def test_boolean_padding_beside_a_float_mask_means_what_two_boolean_masks_mean() -> None:
    torch.manual_seed(3)
    attention, x = MultiheadAttention(12, 3, self_attention=True).eval(), torch.randn(5, 2, 12)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    future = torch.ones(5, 5, dtype=torch.bool).triu(1)
    additive = torch.zeros(5, 5).masked_fill(future, float("-inf"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        output, _ = attention(x, x, x, key_padding_mask=padding, attn_mask=additive)
        expected, _ = attention(x, x, x, key_padding_mask=padding, attn_mask=future)
    torch.testing.assert_close(output, expected, atol=0, rtol=0)
    assert padding.dtype == torch.bool
