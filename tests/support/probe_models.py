"""A tiny model with widths of its own on each side, and batches as fairseq's translation tasks collate them."""

from argparse import Namespace
from types import SimpleNamespace
from typing import Any, Dict, List, Sequence

import torch
from fairseq.data import Dictionary
from torch import Tensor

from deepnet_fairseq.network.model import DeepNetTransformer

SIZES = dict(
    encoder_embed_dim=16,
    encoder_ffn_embed_dim=28,
    encoder_layers=3,
    encoder_attention_heads=4,
    decoder_embed_dim=12,
    decoder_ffn_embed_dim=20,
    decoder_layers=2,
    decoder_attention_heads=2,
    dropout=0.0,
    max_source_positions=600,
    max_target_positions=600,
)
LENGTHS = ((9, 5), (4, 7), (6, 2), (3, 4))  # words of each sentence and of its translation


def make_dictionary() -> Dictionary:
    dictionary = Dictionary()
    for word in [*(f"w{i}" for i in range(26)), "__de__", "__fr__", "__nl__"]:
        dictionary.add_symbol(word)
    return dictionary


def make_model(**options: Any) -> DeepNetTransformer:
    torch.manual_seed(7)
    task = SimpleNamespace(source_dictionary=make_dictionary(), target_dictionary=make_dictionary())
    return DeepNetTransformer.build_model(Namespace(**{**SIZES, **options}), task)


def make_sample(
    languages: Sequence[str] = (), lengths: Sequence[Sequence[int]] = LENGTHS
) -> Dict[str, Any]:
    """A batch, sources padded on the left, targets on the right; languages: the token before each source, if any."""
    words, generator = make_dictionary(), torch.Generator().manual_seed(3)

    def draw(n: int) -> List[int]:
        return torch.randint(
            words.nspecial, words.nspecial + 26, (n,), generator=generator
        ).tolist()

    sources = [draw(length) + [words.eos()] for length, _ in lengths]
    if languages:
        sources = [
            [words.index(language)] + s for language, s in zip(languages, sources, strict=True)
        ]
    targets = [draw(length) + [words.eos()] for _, length in lengths]
    previous = [[words.eos()] + target[:-1] for target in targets]
    inputs = {
        "src_tokens": _padded(sources, words.pad(), left=True),
        "src_lengths": torch.tensor([len(s) for s in sources]),
        "prev_output_tokens": _padded(previous, words.pad(), left=False),
    }
    return {"net_input": inputs, "target": _padded(targets, words.pad(), left=False)}


def _padded(rows: Sequence[List[int]], pad: int, left: bool) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor(
        [[pad] * (width - len(r)) + r if left else r + [pad] * (width - len(r)) for r in rows]
    )
