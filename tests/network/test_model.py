"""The whole model against stock fairseq, and against itself in every mode of use."""

import io
from argparse import Namespace
from typing import Any, Callable, Dict, List, Tuple

import pytest
import torch
from fairseq.models.transformer import TransformerModel
from support.tiny_models import SIZES, make_task
from torch import Tensor, nn

from deepnet_fairseq.network import scaling
from deepnet_fairseq.network.model import DeepNetTransformer
from deepnet_fairseq.network.schemes import RESIDUALS

FP32 = 1e-5  # logits, absolute
Build = Callable[..., DeepNetTransformer]
Batch = Callable[..., Dict[str, Tensor]]


def real_rows(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return the rows of logits [B x T x V] at real tokens [tokens x V], in sentence order."""
    return logits[tokens.ne(1)]


def copy_to_stock(ours: DeepNetTransformer, stock: TransformerModel) -> None:
    """Copy every weight of ours into fairseq's own Transformer."""
    for side in ("encoder", "decoder"):
        mine, theirs = getattr(ours, side), getattr(stock, side)
        theirs.embed_tokens.weight.data.copy_(mine.embedding.tokens.weight)
        if isinstance(theirs.embed_positions, nn.Embedding):
            theirs.embed_positions.weight.data.copy_(mine.embedding.positions.weight)
        if theirs.layernorm_embedding is not None:
            theirs.layernorm_embedding.load_state_dict(mine.embedding.layer_norm.state_dict())
        if theirs.layer_norm is not None:
            theirs.layer_norm.load_state_dict(mine.stack.final_norm.state_dict())
        for a, b in zip(mine.stack.layers, theirs.layers, strict=True):
            attention, width = a.self_attn, a.self_attn.embed_dim
            for i, name in enumerate(("q_proj", "k_proj", "v_proj")):
                rows = slice(i * width, (i + 1) * width)
                copy_linear(
                    getattr(b.self_attn, name),
                    attention.in_proj_weight[rows],
                    attention.in_proj_bias[rows],
                )
            b.self_attn.out_proj.load_state_dict(attention.out_proj.state_dict())
            b.self_attn_layer_norm.load_state_dict(a.self_attn_residual.layer_norm.state_dict())
            b.fc1.load_state_dict(a.ffn.fc1.state_dict())
            b.fc2.load_state_dict(a.ffn.fc2.state_dict())
            b.final_layer_norm.load_state_dict(a.ffn_residual.layer_norm.state_dict())
            if side == "decoder":
                cross = a.encoder_attn
                b.encoder_attn.q_proj.load_state_dict(cross.q_proj.state_dict())
                for i, name in enumerate(("k_proj", "v_proj")):
                    rows = slice(i * width, (i + 1) * width)
                    copy_linear(
                        getattr(b.encoder_attn, name),
                        cross.kv_proj_weight[rows],
                        cross.kv_proj_bias[rows],
                    )
                b.encoder_attn.out_proj.load_state_dict(cross.out_proj.state_dict())
                b.encoder_attn_layer_norm.load_state_dict(
                    a.encoder_attn_residual.layer_norm.state_dict()
                )
    stock.decoder.output_projection.weight.data.copy_(ours.decoder.output_projection.weight)


def copy_linear(linear: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    linear.weight.data.copy_(weight)
    linear.bias.data.copy_(bias)


def randomize_(model: nn.Module) -> None:
    """Move every parameter from 0 and 1, which would hide a wrong copy."""
    generator = torch.Generator().manual_seed(5)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)


STOCK_CASES = [
    {},
    {"encoder_learned_pos": True, "decoder_learned_pos": True},
    {"layernorm_embedding": True, "no_scale_embedding": True},
    {"no_token_positional_embeddings": True, "activation_fn": "gelu"},
    {"share_decoder_input_output_embed": True},
    {"share_all_embeddings": True, "decoder_embed_dim": 16},
]


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("scheme", ["post-ln", "pre-ln"])
@pytest.mark.parametrize("options", STOCK_CASES, ids=lambda o: "+".join(o) or "plain")
def test_without_depth_scaling_logits_equal_stock_fairseqs(
    build: Build, batch: Batch, options: Dict[str, Any], scheme: str, train: bool
) -> None:
    ours = build(residual_scheme=scheme, **options)
    randomize_(ours)
    before = scheme == "pre-ln"
    stock_options = {
        **SIZES,
        **options,
        "encoder_normalize_before": before,
        "decoder_normalize_before": before,
    }
    stock = TransformerModel.build_model(Namespace(**stock_options), make_task())
    copy_to_stock(ours, stock)
    inputs = batch()
    with torch.no_grad():
        mine, theirs = (model.train(train)(**inputs)[0] for model in (ours, stock))
    tokens = inputs["prev_output_tokens"]
    torch.testing.assert_close(
        real_rows(mine, tokens), real_rows(theirs, tokens), atol=FP32, rtol=0
    )


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
def test_deepnorm_equals_stock_fairseq_with_its_residual_stream_scaled(
    build: Build, batch: Batch, train: bool
) -> None:
    ours = build()
    randomize_(ours)
    stock = TransformerModel.build_model(Namespace(**SIZES), make_task())
    copy_to_stock(ours, stock)
    constants = scaling.encoder_decoder(SIZES["encoder_layers"], SIZES["decoder_layers"])
    for side, (alpha, _) in zip((stock.encoder, stock.decoder), constants, strict=True):
        for layer in side.layers:
            layer.residual_connection = lambda x, residual, alpha=alpha: alpha * residual + x
    inputs = batch()
    with torch.no_grad():
        mine, theirs = (model.train(train)(**inputs)[0] for model in (ours, stock))
    tokens = inputs["prev_output_tokens"]
    torch.testing.assert_close(
        real_rows(mine, tokens), real_rows(theirs, tokens), atol=FP32, rtol=0
    )


@pytest.mark.parametrize("scheme", list(RESIDUALS))
def test_padding_side_does_not_matter(build: Build, batch: Batch, scheme: str) -> None:
    model = build(residual_scheme=scheme, encoder_learned_pos=True).eval()
    randomize_(model)
    results = []
    for left_source in (True, False):
        for left_target in (True, False):
            inputs = batch(left_source, left_target)
            logits = model(**inputs)[0]
            assert torch.isfinite(logits).all()
            results.append(real_rows(logits, inputs["prev_output_tokens"]))
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], atol=FP32, rtol=0)


def test_a_sentence_alone_equals_the_sentence_in_a_batch(build: Build, batch: Batch) -> None:
    model, inputs = build().eval(), batch(left_source=True, left_target=False)
    together = model(**inputs)[0]
    for i, length in enumerate(inputs["src_lengths"]):
        target = inputs["prev_output_tokens"][i : i + 1]
        target = target[:, target[0].ne(1)]
        alone = model(inputs["src_tokens"][i : i + 1, -length:], length[None], target)[0]
        torch.testing.assert_close(together[i : i + 1, : target.size(1)], alone, atol=FP32, rtol=0)


@pytest.mark.parametrize("left_target", [False, True], ids=["right-padded", "left-padded"])
@pytest.mark.parametrize("scheme", list(RESIDUALS))
def test_decoding_step_by_step_equals_the_full_forward(
    build: Build, batch: Batch, scheme: str, left_target: bool
) -> None:
    model, inputs = (
        build(residual_scheme=scheme, decoder_learned_pos=True).eval(),
        batch(True, left_target),
    )
    randomize_(model)
    tokens = inputs["prev_output_tokens"]
    encoder_out = model.encoder(inputs["src_tokens"], inputs["src_lengths"])
    full = model.decoder(tokens, encoder_out)[0]
    state: Dict[str, Any] = {}
    steps = [
        model.decoder(tokens[:, : t + 1], encoder_out, incremental_state=state)[0]
        for t in range(tokens.size(1))
    ]
    stepwise = torch.cat(steps, dim=1)
    torch.testing.assert_close(
        real_rows(stepwise, tokens), real_rows(full, tokens), atol=FP32, rtol=0
    )


def test_decoding_with_reordered_beams_and_finished_sentences_equals_the_full_forward(
    build: Build, batch: Batch
) -> None:
    model, inputs = build().eval(), batch()
    beam = 2
    tokens = torch.tensor([[2, 5], [2, 6], [2, 7], [2, 8], [2, 9], [2, 10]])  # 3 sentences x beam
    encoder_out = model.encoder(inputs["src_tokens"], inputs["src_lengths"])
    encoder_out = model.encoder.reorder_encoder_out(
        encoder_out, torch.arange(3).repeat_interleave(beam)
    )
    state: Dict[str, Any] = {}
    for t in (1, 2):
        model.decoder(tokens[:, :t], encoder_out, incremental_state=state)
    # swap hypotheses of a sentence; then the second sentence is finished
    for order in map(torch.tensor, ([1, 0, 2, 2, 5, 4], [1, 1, 5, 4])):
        model.decoder.reorder_incremental_state_scripting(state, order)
        encoder_out = model.encoder.reorder_encoder_out(encoder_out, order)
        tokens = torch.cat([tokens[order], torch.arange(11, 11 + len(order))[:, None]], dim=1)
        step = model.decoder(tokens, encoder_out, incremental_state=state)[0]
        full = model.decoder(tokens, encoder_out)[0]
        torch.testing.assert_close(step[:, -1], full[:, -1], atol=FP32, rtol=0)


@pytest.mark.parametrize("scheme", list(RESIDUALS))
def test_a_loaded_model_in_eval_equals_the_trained_one_in_train_mode_without_dropout(
    build: Build, batch: Batch, scheme: str
) -> None:
    trained = build(residual_scheme=scheme).train()
    randomize_(trained)
    # before saving: a scheme may profile the first batch
    expected = trained(**batch())[0]
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    loaded = build(residual_scheme=scheme)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(loaded.eval()(**batch())[0], expected, atol=FP32, rtol=0)


def loss_and_gradients(
    model: DeepNetTransformer, inputs: Dict[str, Tensor]
) -> Tuple[Tensor, List[Tensor]]:
    torch.manual_seed(11)  # the same dropout for both
    logits = model.train()(**inputs)[0]
    loss = real_rows(logits, inputs["prev_output_tokens"]).float().log_softmax(-1)[:, 5].sum().neg()
    model.zero_grad()
    loss.backward()
    return loss.detach(), [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("scheme", list(RESIDUALS))
def test_checkpointed_activations_change_neither_loss_nor_gradients(
    build: Build, batch: Batch, scheme: str
) -> None:
    options = dict(
        residual_scheme=scheme, dropout=0.3, attention_dropout=0.2, activation_dropout=0.1
    )
    plain, checkpointed = (build(checkpoint_activations=on, **options) for on in (False, True))
    (loss, gradients), (other_loss, other_gradients) = (
        loss_and_gradients(m, batch()) for m in (plain, checkpointed)
    )
    assert torch.equal(loss, other_loss)
    for a, b in zip(gradients, other_gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("on", "calls"), [(False, 1), (True, 2)], ids=["kept", "recomputed"])
def test_checkpointed_layers_run_again_in_the_backward_pass(
    build: Build, batch: Batch, on: bool, calls: int
) -> None:
    model = build(checkpoint_activations=on)
    seen = []
    for layer in (*model.encoder.stack.layers, *model.decoder.stack.layers):
        layer.ffn.register_forward_hook(lambda *_: seen.append(1))
    loss_and_gradients(model, batch())
    assert len(seen) == calls * (SIZES["encoder_layers"] + SIZES["decoder_layers"])


def test_dropout_options_act_in_training_only(build: Build, batch: Batch) -> None:
    reference = build().eval()(**batch())[0]
    for option in (
        "dropout",
        "attention_dropout",
        "activation_dropout",
        "encoder_layerdrop",
        "decoder_layerdrop",
    ):
        model = build(**{option: 0.5})
        torch.testing.assert_close(model.eval()(**batch())[0], reference, atol=FP32, rtol=0)
        torch.manual_seed(2)
        assert not torch.allclose(model.train()(**batch())[0], reference, atol=1e-3), option


def test_alignment_is_the_last_layers_cross_attention_and_only_computed_on_request(
    build: Build, batch: Batch
) -> None:
    model, inputs = build(), batch()
    assert model.eval()(**inputs)[1]["attn"] == [None]
    model.make_generation_fast_(need_attn=True)
    attention = model(**inputs)[1]["attn"][0]  # (B, T, S)
    assert attention.shape == (*inputs["prev_output_tokens"].shape, inputs["src_tokens"].size(1))
    torch.testing.assert_close(attention.sum(-1), torch.ones_like(attention[..., 0]))
    padding = inputs["src_tokens"].eq(1)[:, None, :].expand_as(attention)
    assert attention[padding].eq(0).all()


def test_printing_the_model_shows_alpha(build: Build) -> None:
    text = str(build(encoder_layers=6, decoder_layers=6))
    assert text.count("alpha=1.4179") == 2  # torch prints equal layers once: "(0-5): 6 x"
    assert text.count("alpha=2.0598") == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_a_thousand_layers_build_and_have_finite_gradients(
    build: Build, batch: Batch, dtype: torch.dtype
) -> None:
    deep = dict(
        encoder_layers=500, decoder_layers=500, decoder_embed_dim=16, encoder_ffn_embed_dim=32
    )
    model = build(**deep, checkpoint_activations=True).to(dtype)
    loss, gradients = loss_and_gradients(model, batch())
    assert torch.isfinite(loss)
    assert all(torch.isfinite(g).all() for g in gradients)
    assert sum(g.abs().sum() > 0 for g in gradients) > 0.9 * len(gradients)


BAD_OPTIONS = [
    (dict(ddp_backend="fully_sharded"), "--ddp-backend fully_sharded"),
    (
        dict(encoder_attention_heads=3),
        "--encoder-attention-heads is 3, and must be a divisor of the embedding dimension 16",
    ),
    (dict(decoder_layers=0), "--decoder-layers is 0"),
    (dict(dropout=1.5), "--dropout is 1.5"),
    (dict(decoder_layerdrop=-0.1), "--decoder-layerdrop is -0.1"),
    (dict(share_all_embeddings=True), "--decoder-embed-dim is 12, and must be the encoder's 16"),
    (
        dict(residual_scheme="post-ln", deepnorm_encoder_gain="torchscale"),
        "--deepnorm-encoder-gain is torchscale",
    ),
    (dict(branchnorm_updates=5000), "--branchnorm-updates is 5000, and must be left out"),
    (
        dict(residual_scheme="branchnorm", branchnorm_updates=0),
        "--branchnorm-updates is 0, and must be at least 1",
    ),
]


@pytest.mark.parametrize(
    ("options", "message"), BAD_OPTIONS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_options_that_do_not_fit_are_refused_by_name(
    build: Build, options: Dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_sharing_embeddings_of_different_dictionaries_is_refused() -> None:
    task = make_task()
    task.target_dictionary.add_symbol("one-more")
    with pytest.raises(ValueError, match="joined-dictionary"):
        DeepNetTransformer.build_model(
            Namespace(**{**SIZES, "decoder_embed_dim": 16, "share_all_embeddings": True}), task
        )
