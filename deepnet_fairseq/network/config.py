"""The options of `--arch deepnet_transformer…`, under the names fairseq's own Transformer uses, and the checks on their values."""

from dataclasses import dataclass, field
from typing import Optional

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.utils import get_available_activation_fns

from deepnet_fairseq.network.residual import RESIDUALS
from deepnet_fairseq.network.scaling import ENCODER_GAINS

SAME_AS_ENCODER = " (default: the encoder's)"


@dataclass
class DeepNetConfig(FairseqDataclass):
    """Defaults are those of `deepnet_transformer`: 6-6, 512/2048/8."""

    residual_scheme: ChoiceEnum(list(RESIDUALS)) = field(
        default="deepnorm",
        metadata={
            "help": "residual connection: deepnorm scales by depth; its rivals are described in network/residual.py"
        },
    )
    deepnorm_encoder_gain: ChoiceEnum(list(ENCODER_GAINS)) = field(
        default="paper",
        metadata={
            "help": "constant in the encoder's beta: 0.87 as printed in the paper, or 1.15 as in torchscale's code"
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
            "help": "share encoder, decoder and output embeddings (needs one dictionary and one embedding dimension)"
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
    max_source_positions: int = field(default=1024, metadata={"help": "longest source, in tokens"})
    max_target_positions: int = field(default=1024, metadata={"help": "longest target, in tokens"})
    checkpoint_activations: bool = field(
        default=False,
        metadata={
            "help": "keep only each layer's input in training and recompute the rest: less memory, one more forward pass"
        },
    )

    def complete(self) -> "DeepNetConfig":
        """Give the decoder the encoder's sizes where it has none of its own, check every value, return self."""
        for name in ("embed_dim", "ffn_embed_dim", "attention_heads"):
            if getattr(self, f"decoder_{name}") is None:
                setattr(self, f"decoder_{name}", getattr(self, f"encoder_{name}"))
        self.check()
        return self

    def check(self) -> None:
        """Raise ValueError, naming the option, for values that no model can be built from."""
        for side in ("encoder", "decoder"):
            for name in ("embed_dim", "ffn_embed_dim", "layers", "attention_heads"):
                _require(getattr(self, f"{side}_{name}") >= 1, self, f"{side}_{name}", "at least 1")
            width, heads = (
                getattr(self, f"{side}_embed_dim"),
                getattr(self, f"{side}_attention_heads"),
            )
            _require(
                width % heads == 0,
                self,
                f"{side}_attention_heads",
                f"a divisor of the embedding dimension {width}",
            )
            _require(
                0 <= getattr(self, f"{side}_layerdrop") < 1, self, f"{side}_layerdrop", "in [0, 1)"
            )
        for name in ("dropout", "attention_dropout", "activation_dropout"):
            _require(0 <= getattr(self, name) < 1, self, name, "in [0, 1)")
        for name in ("max_source_positions", "max_target_positions"):
            _require(getattr(self, name) >= 1, self, name, "at least 1")
        if self.share_all_embeddings:
            same = f"the encoder's {self.encoder_embed_dim} with --share-all-embeddings"
            _require(
                self.encoder_embed_dim == self.decoder_embed_dim, self, "decoder_embed_dim", same
            )
        _require(self.branchnorm_updates >= 1, self, "branchnorm_updates", "at least 1")
        scheme = RESIDUALS[self.residual_scheme]
        meaningless = f"left out: it has no meaning with --residual-scheme {self.residual_scheme}"
        _require(
            scheme.uses_depth_scaling or self.deepnorm_encoder_gain == "paper",
            self,
            "deepnorm_encoder_gain",
            meaningless,
        )
        unchanged = self.branchnorm_updates == type(self).branchnorm_updates
        _require(
            "branchnorm_updates" in scheme.options or unchanged,
            self,
            "branchnorm_updates",
            meaningless,
        )


def _require(holds: bool, config: DeepNetConfig, name: str, what: str) -> None:
    if not holds:
        raise ValueError(
            f"--{name.replace('_', '-')} is {getattr(config, name)}, and must be {what}"
        )
