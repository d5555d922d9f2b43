"""Named architectures. Each lists only the options in which it differs from its parent."""

from argparse import Namespace
from dataclasses import fields
from typing import Any, Dict, NamedTuple, Optional

from deepnet_fairseq.network.config import DeepNetConfig

BASE = "deepnet_transformer"


class Architecture(NamedTuple):
    """A named architecture.

    Args:
        parent: The architecture that it is based on; None is DeepNetConfig's defaults.
        options: The options that it changes.
    """

    parent: Optional[str]
    options: Dict[str, Any]


def _layers(per_side: int) -> Dict[str, int]:
    return {"encoder_layers": per_side, "decoder_layers": per_side}


def _opus100(per_side: int) -> Architecture:
    return Architecture("deepnet_transformer_opus100", _layers(per_side))


def _wmt17(per_side: int) -> Architecture:
    return Architecture("deepnet_transformer_wmt17", _layers(per_side))


# Depths and widths of the paper's Sections 5 and 6; dropout of its appendix ("Hyperparameters").
ARCHITECTURES: Dict[str, Architecture] = {
    BASE: Architecture(None, {}),  # 6-6, 512/2048/8
    "deepnet_transformer_tiny": Architecture(  # 64-128-2, as in the paper's model-update figure
        BASE,
        dict(encoder_embed_dim=64, encoder_ffn_embed_dim=128, encoder_attention_heads=2),
    ),
    # WMT-17 En-De: layers per side
    "deepnet_transformer_wmt17": Architecture(BASE, dict(dropout=0.4, share_all_embeddings=True)),
    "deepnet_transformer_wmt17_18l_18l": _wmt17(18),
    "deepnet_transformer_wmt17_50l_50l": _wmt17(50),
    "deepnet_transformer_wmt17_100l_100l": _wmt17(100),
    # OPUS-100: layers in total
    "deepnet_transformer_opus100": Architecture(BASE, dict(dropout=0.1, share_all_embeddings=True)),
    "deepnet_transformer_opus100_12l": _opus100(6),
    "deepnet_transformer_opus100_20l": _opus100(10),
    "deepnet_transformer_opus100_100l": _opus100(50),
    "deepnet_transformer_opus100_200l": _opus100(100),
    "deepnet_transformer_opus100_1000l": _opus100(500),
    # 102 languages, 3.2B parameters
    "deepnet_transformer_m2m_200l_3b": Architecture(
        "deepnet_transformer_opus100_200l",
        dict(encoder_embed_dim=1024, encoder_ffn_embed_dim=4096, encoder_attention_heads=16),
    ),
}


def fill_defaults(args: Namespace, name: str = BASE) -> None:
    """Set the model's options that args lacks.

    They come from the named architecture, then its parents, then DeepNetConfig's defaults.
    """
    architecture = ARCHITECTURES[name]
    _set_missing(args, architecture.options)
    if architecture.parent is not None:
        fill_defaults(args, architecture.parent)
        return
    for field in fields(DeepNetConfig):
        if field.name.startswith("_"):
            continue
        default = field.default
        if default is None:  # a size of the decoder, which is the encoder's
            default = getattr(args, field.name.replace("decoder", "encoder"))
        _set_missing(args, {field.name: default})


def _set_missing(args: Namespace, options: Dict[str, Any]) -> None:
    for name, value in options.items():
        if getattr(args, name, None) is None:
            setattr(args, name, value)
