"""The model that `--arch deepnet_transformer…` builds."""

from argparse import Namespace
from functools import partial
from typing import Any, Optional, Tuple

import torch
from fairseq.data import Dictionary
from fairseq.dataclass.utils import gen_parser_from_dataclass
from fairseq.models import FairseqEncoderDecoderModel, register_model, register_model_architecture
from torch import Tensor, nn

from deepnet_fairseq.errors import UserError
from deepnet_fairseq.network.architectures import ARCHITECTURES, BASE, fill_defaults
from deepnet_fairseq.network.attention import CrossAttention, SelfAttention
from deepnet_fairseq.network.config import DeepNetConfig, StackConfig
from deepnet_fairseq.network.decoder import DecoderOut, DeepNetDecoder
from deepnet_fairseq.network.embedding import TokenEmbedding
from deepnet_fairseq.network.encoder import DeepNetEncoder
from deepnet_fairseq.network.initialization import build_embedding, initialize_layers_
from deepnet_fairseq.network.layers import DecoderLayer, EncoderLayer, FeedForward, LayerStack
from deepnet_fairseq.network.scaling import Scaling
from deepnet_fairseq.network.schemes import RESIDUALS


@register_model(BASE)
class DeepNetTransformer(FairseqEncoderDecoderModel):
    """DeepNet (Wang et al. 2022, arXiv 2203.00555): a Transformer for hundreds of layers per side.

    Args:
        config: The model's options, complete.
        encoder: Built by `build_encoder_decoder`.
        decoder: Built by `build_encoder_decoder`.
    """

    def __init__(
        self, config: DeepNetConfig, encoder: DeepNetEncoder, decoder: DeepNetDecoder
    ) -> None:
        super().__init__(encoder, decoder)
        self.config = config
        self.profile_batch_ = RESIDUALS[config.residual_scheme].profile_batch_
        # Whether the next training forward profiles its batch. A bool of Python's, so that no
        # forward waits for the device; the buffer is for the checkpoint, a float for --store-ema.
        self.needs_profile = self.profile_batch_ is not None
        if self.needs_profile:
            self.register_buffer("profiled", torch.zeros(()))
            self.register_load_state_dict_post_hook(_restore_profiled)

    def forward(
        self, src_tokens: Tensor, src_lengths: Tensor, prev_output_tokens: Tensor, **kwargs: Any
    ) -> DecoderOut:
        """Return the decoder's result; in training, profile the first batch if the scheme asks."""
        if self.needs_profile and self.training:
            self.profile_(src_tokens, src_lengths, prev_output_tokens)
        return super().forward(src_tokens, src_lengths, prev_output_tokens, **kwargs)

    def profile_(self, src_tokens: Tensor, src_lengths: Tensor, prev_output_tokens: Tensor) -> None:
        """Profile a batch for the residual scheme, in training loops that do not call `forward`.

        Under torch.distributed every rank must call it.

        Raises:
            ValueError: The scheme has no profile.
        """
        if self.profile_batch_ is None:
            raise ValueError(f"--residual-scheme {self.config.residual_scheme} has no profile")
        self.profile_batch_(self, src_tokens, src_lengths, prev_output_tokens)
        self.set_profiled(True)

    def set_profiled(self, profiled: bool) -> None:
        """Set whether the residual scheme has its profile."""
        self.profiled.fill_(float(profiled))
        self.needs_profile = not profiled

    @classmethod
    def add_args(cls, parser: Any) -> None:
        """Add the options of DeepNetConfig to fairseq's parser.

        They have no defaults there: `architectures.fill_defaults` sets those.
        """
        gen_parser_from_dataclass(parser, DeepNetConfig(), delete_default=True)

    @classmethod
    def build_model(cls, args: Namespace, task: Any) -> "DeepNetTransformer":
        """Return a new model for task's dictionaries.

        Raises:
            UserError: Options have values that no model can be built from.
        """
        if getattr(args, "ddp_backend", None) == "fully_sharded":
            raise UserError(
                "--ddp-backend fully_sharded needs fairscale's wrappers, which this model has not: "
                "use pytorch_ddp or legacy_ddp"
            )
        fill_defaults(args)  # checkpoints of older versions may lack newer options
        config = DeepNetConfig.from_namespace(args).complete()
        return cls(
            config, *build_encoder_decoder(config, task.source_dictionary, task.target_dictionary)
        )


def _restore_profiled(model: DeepNetTransformer, _: Any) -> None:
    model.set_profiled(bool(model.profiled))


def build_encoder_decoder(
    config: DeepNetConfig, source: Dictionary, target: Dictionary
) -> Tuple[DeepNetEncoder, DeepNetDecoder]:
    """Return both sides, initialized.

    Raises:
        UserError: Different dictionaries are to share embeddings.
    """
    encoder_tokens = build_embedding(len(source), config.encoder.embed_dim, source.pad())
    if config.share_all_embeddings:
        if source != target:
            raise UserError(
                "--share-all-embeddings needs one dictionary for both sides: run "
                "fairseq-preprocess --joined-dictionary"
            )
        decoder_tokens = encoder_tokens
    else:
        decoder_tokens = build_embedding(len(target), config.decoder.embed_dim, target.pad())

    encoder_stack, decoder_stack = build_stacks(config)
    encoder = DeepNetEncoder(
        source,
        TokenEmbedding(encoder_tokens, config, config.encoder),
        encoder_stack,
        config.encoder.max_positions,
    )
    decoder = DeepNetDecoder(
        target,
        TokenEmbedding(decoder_tokens, config, config.decoder),
        decoder_stack,
        build_output_projection(config, decoder_tokens),
        config.decoder.max_positions,
    )
    return encoder, decoder


def build_stacks(config: DeepNetConfig) -> Tuple[LayerStack, LayerStack]:
    """Return the encoder's and the decoder's layers, initialized for the residual scheme."""
    encoder_scaling, decoder_scaling = RESIDUALS[config.residual_scheme].scaling(config)
    encoder = build_stack(config, config.encoder, encoder_scaling)
    decoder = build_stack(config, config.decoder, decoder_scaling, config.encoder.embed_dim)
    return encoder, decoder


def build_stack(
    config: DeepNetConfig, sizes: StackConfig, scaling: Scaling, memory_dim: Optional[int] = None
) -> LayerStack:
    """Return the layers of one side.

    Args:
        config: The options that both sides share.
        sizes: Those of this side.
        scaling: Constants (alpha, beta) of this side.
        memory_dim: Width of the encoder's output, to which decoder layers attend; None builds
            encoder layers.
    """
    scheme = RESIDUALS[config.residual_scheme]
    layers = [build_layer(config, sizes, scaling, memory_dim) for _ in range(sizes.layers)]
    for number, layer in enumerate(layers, start=1):
        initialize_layers_(layer, *scheme.gains(number, scaling))
    final_norm = scheme.build_final_norm(sizes.embed_dim)
    return LayerStack(layers, sizes.layerdrop, config.checkpoint_activations, scheme, final_norm)


def build_layer(
    config: DeepNetConfig, sizes: StackConfig, scaling: Scaling, memory_dim: Optional[int]
) -> nn.Module:
    """Return one layer for the arguments of `build_stack`; its weights are not drawn yet."""
    scheme = RESIDUALS[config.residual_scheme]
    residual = partial(scheme, config, sizes.embed_dim, scaling)
    self_attn = SelfAttention(
        sizes.embed_dim,
        sizes.attention_heads,
        config.attention_dropout,
        scheme.build_inner_norm(sizes.embed_dim),
    )
    ffn = FeedForward(
        sizes.embed_dim,
        sizes.ffn_embed_dim,
        config.activation_fn,
        config.activation_dropout,
        scheme.build_inner_norm(sizes.ffn_embed_dim),
    )
    if memory_dim is None:
        return EncoderLayer(self_attn, ffn, residual)
    encoder_attn = CrossAttention(
        sizes.embed_dim,
        memory_dim,
        sizes.attention_heads,
        config.attention_dropout,
        scheme.build_inner_norm(sizes.embed_dim),
    )
    return DecoderLayer(self_attn, encoder_attn, ffn, residual)


def build_output_projection(config: DeepNetConfig, decoder_tokens: nn.Embedding) -> nn.Linear:
    """Return the projection to the vocabulary, drawn like an embedding if it is not shared."""
    vocabulary, embed_dim = decoder_tokens.weight.shape
    projection = nn.Linear(embed_dim, vocabulary, bias=False)
    if config.share_all_embeddings or config.share_decoder_input_output_embed:
        projection.weight = decoder_tokens.weight
    else:
        nn.init.normal_(projection.weight, mean=0.0, std=embed_dim**-0.5)
    return projection


for _name in ARCHITECTURES:
    register_model_architecture(BASE, _name)(partial(fill_defaults, name=_name))
