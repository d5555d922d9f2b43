"""Tests that need a CUDA device: run them with `scripts/test.sh -m gpu`."""

from pathlib import Path

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq_cli import train
from support.tiny_models import make_model
from test_fairseq_commands import data, run, train_flags  # noqa: F401

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("scheme", ["deepnorm", "post-ln", "pre-ln"])
def test_logits_on_the_gpu_equal_those_on_the_cpu(batch: object, scheme: str) -> None:
    model = make_model(residual_scheme=scheme).eval()
    inputs = batch()
    expected = model(**inputs)[0]
    logits = model.cuda()(**{name: tensor.cuda() for name, tensor in inputs.items()})[0]
    real = inputs["prev_output_tokens"].ne(1)
    torch.testing.assert_close(logits.cpu()[real], expected[real], atol=1e-4, rtol=0)


@pytest.mark.parametrize("precision", ["--fp16", "--bf16", "--amp"])
def test_mixed_precision_trains_on_the_gpu(
    data: Path,  # noqa: F811
    tmp_path: Path,
    precision: str,
) -> None:
    flags = [
        flag
        for flag in train_flags(data, tmp_path, 6, precision, "--checkpoint-activations")
        if flag != "--cpu"
    ]
    run(train, *flags)
    state = checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / "checkpoint_last.pt"))
    assert state["optimizer_history"][-1]["num_updates"] == 6
    assert all(
        torch.isfinite(weight).all()
        for name, weight in state["model"].items()
        if "_float_tensor" not in name
    )
