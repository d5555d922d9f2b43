"""The model that `--arch deepnet_transformer…` builds."""

from argparse import Namespace
from functools import partial
from typing import Any, List, Tuple

import torch
from fairseq.data import Dictionary
from fairseq.dataclass.utils import gen_parser_from_dataclass
from fairseq.models import FairseqEncoderDecoderModel, register_model, register_model_architecture
from torch import Tensor, nn

from deepnet_fairseq.network import scaling
from deepnet_fairseq.network.architectures import ARCHITECTURES, BASE, fill_defaults
from deepnet_fairseq.network.attention import CrossAttention, SelfAttention
from deepnet_fairseq.network.config import DeepNetConfig
from deepnet_fairseq.network.decoder import DecoderOut, DeepNetDecoder
from deepnet_fairseq.network.embedding import TokenEmbedding
from deepnet_fairseq.network.encoder import DeepNetEncoder
from deepnet_fairseq.network.initialization import build_embedding, initialize_layers_
from deepnet_fairseq.network.layers import DecoderLayer, EncoderLayer, FeedForward, LayerStack
from deepnet_fairseq.network.profiling import profile_shortcuts_
from deepnet_fairseq.network.residual import RESIDUALS


@register_model(BASE)
class DeepNetTransformer(FairseqEncoderDecoderModel):
    """DeepNet (Wang et al. 2022, arXiv 2203.00555): an encoder-decoder Transformer whose residual connections scale with depth."""

    def __init__(
        self, config: DeepNetConfig, encoder: DeepNetEncoder, decoder: DeepNetDecoder
    ) -> None:
        super().__init__(encoder, decoder)
        self.config = config
        # Whether the next training forward profiles first: in Python, so that no forward waits for the device.
        self.needs_profile = RESIDUALS[config.residual_scheme].needs_profile
        if self.needs_profile:
            self.register_buffer(
                "profiled", torch.zeros(())
            )  # for the checkpoint; a float for --store-ema
            self.register_load_state_dict_post_hook(_recall_profile)

    def forward(
        self, src_tokens: Tensor, src_lengths: Tensor, prev_output_tokens: Tensor, **kwargs: Any
    ) -> DecoderOut:
        """Return the decoder's result for a batch; the first one in training is profiled if the residual scheme asks for it."""
        if self.needs_profile and self.training:
            self.profile_(src_tokens, src_lengths, prev_output_tokens)
        return super().forward(src_tokens, src_lengths, prev_output_tokens, **kwargs)

    def profile_(self, src_tokens: Tensor, src_lengths: Tensor, prev_output_tokens: Tensor) -> None:
        """Set the residual scheme's profile from this batch, for training loops that do not call `forward`.

        Under torch.distributed every rank must call it. Raises ValueError for a scheme without a profile.
        """
        if not RESIDUALS[self.config.residual_scheme].needs_profile:
            raise ValueError(
                f"--residual-scheme {self.config.residual_scheme} has no profile: only admin has"
            )
        profile_shortcuts_(self, src_tokens, src_lengths, prev_output_tokens)
        self.recall_profile(True)

    def recall_profile(self, profiled: bool) -> None:
        """Take note of whether the residual scheme's profile has been measured."""
        self.profiled.fill_(float(profiled))
        self.needs_profile = not profiled

    @classmethod
    def add_args(cls, parser: Any) -> None:
        """Add the options of DeepNetConfig to fairseq's parser, without defaults: the named architecture gives those."""
        gen_parser_from_dataclass(parser, DeepNetConfig(), delete_default=True)

    @classmethod
    def build_model(cls, args: Namespace, task: Any) -> "DeepNetTransformer":
        """Build a model for task's dictionaries. Raises ValueError for options that do not fit together."""
        if getattr(args, "ddp_backend", None) == "fully_sharded":
            raise ValueError(
                "--ddp-backend fully_sharded needs fairscale's wrappers, which this model has not: use pytorch_ddp or legacy_ddp"
            )
        fill_defaults(args)  # checkpoints of older versions may lack newer options
        config = DeepNetConfig.from_namespace(args).complete()
        return cls(
            config, *build_encoder_decoder(config, task.source_dictionary, task.target_dictionary)
        )


def _recall_profile(model: DeepNetTransformer, _: Any) -> None:
    """Let a loaded model know whether its checkpoint was profiled."""
    model.recall_profile(bool(model.profiled))


def build_encoder_decoder(
    config: DeepNetConfig, source: Dictionary, target: Dictionary
) -> Tuple[DeepNetEncoder, DeepNetDecoder]:
    """Return both halves, freshly initialised. Raises ValueError if embeddings are to be shared by different dictionaries."""
    encoder_tokens = build_embedding(len(source), config.encoder_embed_dim, source.pad())
    if config.share_all_embeddings:
        if source != target:
            raise ValueError(
                "--share-all-embeddings needs one dictionary for both sides: run fairseq-preprocess --joined-dictionary"
            )
        decoder_tokens = encoder_tokens
    else:
        decoder_tokens = build_embedding(len(target), config.decoder_embed_dim, target.pad())

    encoder_stack, decoder_stack = build_stacks(config)
    encoder = DeepNetEncoder(
        source,
        build_token_embedding(config, "encoder", encoder_tokens),
        encoder_stack,
        config.max_source_positions,
    )
    decoder = DeepNetDecoder(
        target,
        build_token_embedding(config, "decoder", decoder_tokens),
        decoder_stack,
        build_output_projection(config, decoder_tokens),
        config.max_target_positions,
    )
    return encoder, decoder


def build_stacks(config: DeepNetConfig) -> Tuple[LayerStack, LayerStack]:
    """Return the encoder's and the decoder's layers, initialised for their residual scheme."""
    N, M, gain = config.encoder_layers, config.decoder_layers, config.deepnorm_encoder_gain
    encoder_scaling, decoder_scaling = RESIDUALS[config.residual_scheme].scaling(N, M, gain)
    encoder = build_stack(config, "encoder", encoder_scaling)
    decoder = build_stack(config, "decoder", decoder_scaling)
    return encoder, decoder


def build_stack(config: DeepNetConfig, side: str, constants: scaling.Scaling) -> LayerStack:
    """Return side's ("encoder" or "decoder") layers, with weights drawn with the gains of their scheme."""

    def option(name: str) -> Any:
        return getattr(config, f"{side}_{name}")

    width, heads = option("embed_dim"), option("attention_heads")
    scheme = RESIDUALS[config.residual_scheme]
    residual = partial(
        scheme,
        width,
        config.dropout,
        constants,
        **{name: getattr(config, name) for name in scheme.options},
    )
    layers: List[nn.Module] = []
    for _ in range(option("layers")):
        attention = SelfAttention(width, heads, config.attention_dropout, scheme.normalizes_inside)
        ffn = FeedForward(
            width,
            option("ffn_embed_dim"),
            config.activation_fn,
            config.activation_dropout,
            scheme.normalizes_inside,
        )
        if side == "encoder":
            layers.append(EncoderLayer(attention, ffn, residual))
        else:
            cross = CrossAttention(
                width,
                config.encoder_embed_dim,
                heads,
                config.attention_dropout,
                scheme.normalizes_inside,
            )
            layers.append(DecoderLayer(attention, cross, ffn, residual))
    final_norm = nn.LayerNorm(width) if scheme.needs_final_norm else None
    stack = LayerStack(layers, option("layerdrop"), config.checkpoint_activations, final_norm)
    for number, layer in enumerate(layers, start=1):
        initialize_layers_(layer, *scheme.gains(number, constants))
    return stack


def build_token_embedding(config: DeepNetConfig, side: str, tokens: nn.Embedding) -> TokenEmbedding:
    """Return side's ("encoder" or "decoder") embedding around the table tokens."""
    return TokenEmbedding(
        tokens,
        max_positions=config.max_source_positions
        if side == "encoder"
        else config.max_target_positions,
        learned_positions=getattr(config, f"{side}_learned_pos"),
        positions=not config.no_token_positional_embeddings,
        scale=not config.no_scale_embedding,
        layernorm=config.layernorm_embedding,
        dropout=config.dropout,
    )


def build_output_projection(config: DeepNetConfig, decoder_tokens: nn.Embedding) -> nn.Linear:
    """Return the projection to the vocabulary: decoder_tokens itself if shared, else drawn like an embedding."""
    vocabulary, width = decoder_tokens.weight.shape
    projection = nn.Linear(width, vocabulary, bias=False)
    if config.share_all_embeddings or config.share_decoder_input_output_embed:
        projection.weight = decoder_tokens.weight
    else:
        nn.init.normal_(projection.weight, mean=0.0, std=width**-0.5)
    return projection


for _name in ARCHITECTURES:
    register_model_architecture(BASE, _name)(partial(fill_defaults, name=_name))
