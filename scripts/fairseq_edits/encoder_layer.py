"""The Transformer encoder's inference fast path and its dead parameters (rows 4, 5 and 6)."""

from typing import Tuple

from .edit import Cut, Dedent, Edit

DROP_DEAD_COPIES = """\
        # Checkpoints written by the unedited fairseq 0.12.2 hold second copies of
        # the layer's weights under these names; nothing reads them any more.
        for projection in ("in_proj", "out_proj", "fc1", "fc2"):
            for kind in ("weight", "bias"):
                state_dict.pop(f"{prefix}{projection}_{kind}", None)
"""

EDITS: Tuple[Edit, ...] = (
    Edit(
        name="encoder-layer-fast-path",
        file="fairseq/modules/transformer_layer.py",
        why="the fused layer refuses fairseq's padding mask and never calls residual_connection",
        changes=(
            Dedent(
                "            if attn_mask is not None:\n                attn_mask = attn_mask.masked_fill(",
                "\n\n# backward",
            ),
            Cut(
                "        if self.training:\n            self.ever_training = True\n",
                "        if attn_mask is not None:\n",
            ),
        ),
    ),
    Edit(
        name="encoder-layer-dead-parameters",
        file="fairseq/modules/transformer_layer.py",
        why="every encoder layer held trainable copies of all its weights for the fast path: twice the parameters",
        changes=(
            Cut("        self.load_to_BT = False\n", "    def _load_from_state_dict(", new="\n"),
            Cut(
                "        self.load_to_BT = True\n",
                "        super(TransformerEncoderLayerBase, self)._load_from_state_dict(",
                new=DROP_DEAD_COPIES,
            ),
        ),
    ),
    Edit(
        name="encoder-fast-path",
        file="fairseq/models/transformer/transformer_encoder.py",
        why="the encoder prepared nested tensors for the layers' fast path",
        changes=(
            Cut(
                "        # nested tensor and BT enable\n",
                "        for layer in self.layers:\n            lr = layer(",
                new="        # encoder layers\n        encoder_padding_mask_out = encoder_padding_mask if has_pads else None\n",
            ),
            Cut(
                "        # change back to non-nested and Batch second\n",
                "        if self.layer_norm is not None:\n            x = self.layer_norm(x)",
            ),
        ),
    ),
)
