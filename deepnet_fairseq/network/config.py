"""The options of `--arch deepnet_transformer…`, and the checks on their values.

Their names are those of fairseq's own Transformer.
"""

from dataclasses import dataclass, field
from typing import Any, Optional

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.utils import get_available_activation_fns

from deepnet_fairseq.errors import UserError
from deepnet_fairseq.network.scaling import ENCODER_GAINS
from deepnet_fairseq.network.schemes import RESIDUALS

# Options that a single residual scheme reads.
SCHEME_OPTIONS = {"deepnorm_encoder_gain": "deepnorm", "branchnorm_updates": "branchnorm"}
SAME_AS_ENCODER = " (default: the encoder's)"


@dataclass(frozen=True)
class StackConfig:
    """The sizes of one side of the model, encoder or decoder."""

    embed_dim: int
    ffn_embed_dim: int
    layers: int
    attention_heads: int
    learned_pos: bool
    layerdrop: float
    max_positions: int

    def check(self, side: str) -> None:
        """Raise UserError for a size that no stack has; side names it in the option."""
        for name in ("embed_dim", "ffn_embed_dim", "layers", "attention_heads"):
            value = getattr(self, name)
            require(value >= 1, f"{side}_{name}", value, "at least 1")
        require(
            self.embed_dim % self.attention_heads == 0,
            f"{side}_attention_heads",
            self.attention_heads,
            f"a divisor of the embedding dimension {self.embed_dim}",
        )
        require(0 <= self.layerdrop < 1, f"{side}_layerdrop", self.layerdrop, "in [0, 1)")


@dataclass
class DeepNetConfig(FairseqDataclass):
    """Defaults are those of `deepnet_transformer`: 6-6, 512/2048/8."""

    residual_scheme: ChoiceEnum(list(RESIDUALS)) = field(
        default="deepnorm",
        metadata={
            "help": "residual connection: deepnorm scales by depth; its rivals are described in "
            "network/rivals.py and network/admin.py"
        },
    )
    deepnorm_encoder_gain: ChoiceEnum(list(ENCODER_GAINS)) = field(
        default="paper",
        metadata={
            "help": "constant in the encoder's beta: 0.87 as printed in the paper, or 1.15 as in "
            "torchscale's code"
        },
    )
    branchnorm_updates: int = field(
        default=4000,
        metadata={"help": "updates until branchnorm's branches have their full weight"},
    )
    encoder_embed_dim: int = field(default=512, metadata={"help": "encoder embedding dimension"})
    encoder_ffn_embed_dim: int = field(
        default=2048, metadata={"help": "encoder embedding dimension for FFN"}
    )
    encoder_layers: int = field(default=6, metadata={"help": "number of encoder layers (N)"})
    encoder_attention_heads: int = field(
        default=8, metadata={"help": "number of encoder attention heads"}
    )
    encoder_learned_pos: bool = field(
        default=False, metadata={"help": "learned instead of sinusoidal encoder positions"}
    )
    encoder_layerdrop: float = field(
        default=0.0, metadata={"help": "LayerDrop probability in the encoder"}
    )
    decoder_embed_dim: Optional[int] = field(
        default=None, metadata={"help": "decoder embedding dimension" + SAME_AS_ENCODER}
    )
    decoder_ffn_embed_dim: Optional[int] = field(
        default=None, metadata={"help": "decoder embedding dimension for FFN" + SAME_AS_ENCODER}
    )
    decoder_layers: int = field(default=6, metadata={"help": "number of decoder layers (M)"})
    decoder_attention_heads: Optional[int] = field(
        default=None, metadata={"help": "number of decoder attention heads" + SAME_AS_ENCODER}
    )
    decoder_learned_pos: bool = field(
        default=False, metadata={"help": "learned instead of sinusoidal decoder positions"}
    )
    decoder_layerdrop: float = field(
        default=0.0, metadata={"help": "LayerDrop probability in the decoder"}
    )
    activation_fn: ChoiceEnum(get_available_activation_fns()) = field(
        default="relu", metadata={"help": "activation function of the FFN"}
    )
    dropout: float = field(
        default=0.1, metadata={"help": "dropout probability of embeddings and sub-layer outputs"}
    )
    attention_dropout: float = field(
        default=0.0, metadata={"help": "dropout probability of attention weights"}
    )
    activation_dropout: float = field(
        default=0.0,
        metadata={
            "help": "dropout probability after the FFN's activation",
            "alias": "--relu-dropout",
        },
    )
    share_decoder_input_output_embed: bool = field(
        default=False, metadata={"help": "share decoder input and output embeddings"}
    )
    share_all_embeddings: bool = field(
        default=False,
        metadata={
            "help": "share encoder, decoder and output embeddings (needs one dictionary and one "
            "embedding dimension)"
        },
    )
    no_token_positional_embeddings: bool = field(
        default=False, metadata={"help": "no positional embeddings"}
    )
    no_scale_embedding: bool = field(
        default=False,
        metadata={"help": "do not multiply embeddings by the square root of their dimension"},
    )
    layernorm_embedding: bool = field(
        default=False, metadata={"help": "LayerNorm after the embeddings"}
    )
    max_source_positions: int = field(
        default=1024, metadata={"help": "maximum source length in tokens"}
    )
    max_target_positions: int = field(
        default=1024, metadata={"help": "maximum target length in tokens"}
    )
    checkpoint_activations: bool = field(
        default=False,
        metadata={
            "help": "keep only each layer's input in training and recompute the rest: less memory, "
            "one more forward pass"
        },
    )

    @property
    def encoder(self) -> StackConfig:
        """The encoder's sizes."""
        return StackConfig(
            embed_dim=self.encoder_embed_dim,
            ffn_embed_dim=self.encoder_ffn_embed_dim,
            layers=self.encoder_layers,
            attention_heads=self.encoder_attention_heads,
            learned_pos=self.encoder_learned_pos,
            layerdrop=self.encoder_layerdrop,
            max_positions=self.max_source_positions,
        )

    @property
    def decoder(self) -> StackConfig:
        """The decoder's sizes; call `complete` first, which sets those that are None."""
        return StackConfig(
            embed_dim=self.decoder_embed_dim,
            ffn_embed_dim=self.decoder_ffn_embed_dim,
            layers=self.decoder_layers,
            attention_heads=self.decoder_attention_heads,
            learned_pos=self.decoder_learned_pos,
            layerdrop=self.decoder_layerdrop,
            max_positions=self.max_target_positions,
        )

    def complete(self) -> "DeepNetConfig":
        """Set the decoder's missing sizes to the encoder's, check every value, and return self."""
        if self.decoder_embed_dim is None:
            self.decoder_embed_dim = self.encoder_embed_dim
        if self.decoder_ffn_embed_dim is None:
            self.decoder_ffn_embed_dim = self.encoder_ffn_embed_dim
        if self.decoder_attention_heads is None:
            self.decoder_attention_heads = self.encoder_attention_heads
        self.check()
        return self

    def check(self) -> None:
        """Raise UserError, naming the option, for values that no model can be built from."""
        self.encoder.check("encoder")
        self.decoder.check("decoder")
        for name in ("dropout", "attention_dropout", "activation_dropout"):
            value = getattr(self, name)
            require(0 <= value < 1, name, value, "in [0, 1)")
        for name in ("max_source_positions", "max_target_positions", "branchnorm_updates"):
            value = getattr(self, name)
            require(value >= 1, name, value, "at least 1")
        if self.share_all_embeddings:
            require(
                self.encoder_embed_dim == self.decoder_embed_dim,
                "decoder_embed_dim",
                self.decoder_embed_dim,
                f"the encoder's {self.encoder_embed_dim} with --share-all-embeddings",
            )
        for name, scheme in SCHEME_OPTIONS.items():
            value, default = getattr(self, name), getattr(type(self), name)
            require(
                self.residual_scheme == scheme or value == default,
                name,
                value,
                f"left out: it has no meaning with --residual-scheme {self.residual_scheme}",
            )


def require(condition: bool, name: str, value: Any, expected: str) -> None:
    """Raise UserError, naming the option and its value, if the condition does not hold."""
    if not condition:
        raise UserError(f"--{name.replace('_', '-')} is {value}, and must be {expected}")
