"""Half precision without a GPU, and the deprecation warnings that every training or generation shows."""

from typing import Tuple

from .edit import Edit, Replace

MATCHING_MASKS = """\
            else:
                if (
                    key_padding_mask is not None
                    and attn_mask is not None
                    and key_padding_mask.dtype == torch.bool
                    and attn_mask.dtype != torch.bool
                ):
                    # torch deprecates masks of two kinds, and would convert this one just so
                    key_padding_mask = torch.zeros_like(
                        key_padding_mask, dtype=attn_mask.dtype
                    ).masked_fill_(key_padding_mask, float("-inf"))
                return F.multi_head_attention_forward(
"""

EDITS: Tuple[Edit, ...] = (
    Edit(
        name="fp16-on-cpu",
        file="fairseq/optim/fp16_optimizer.py",
        why="--fp16 --cpu: 'Torch not compiled with CUDA enabled'",
        changes=(
            Replace(
                "devices = [torch.cuda.current_device()]\n",
                # None on the CPU, by which the optimizer finds the parameters again
                "devices = [params[0].device.index]\n",
            ),
        ),
    ),
    Edit(
        name="overflow-on-cpu",
        file="fairseq/trainer.py",
        why="--fp16 --cpu at the first gradient overflow: 'Torch not compiled with CUDA enabled'",
        changes=(
            Replace(
                "grad_norm = torch.tensor(0.0).cuda()\n",
                "grad_norm = torch.tensor(0.0, device=self.device)\n",
            ),
        ),
    ),
    Edit(
        name="autocast",
        file="fairseq/tasks/fairseq_task.py",
        why="torch.cuda.amp.autocast is deprecated",
        changes=(
            Replace(
                "torch.cuda.amp.autocast(enabled=(isinstance(optimizer, AMPOptimizer)))",
                'torch.autocast("cuda", enabled=isinstance(optimizer, AMPOptimizer))',
            ),
        ),
    ),
    Edit(
        name="grad-scaler",
        file="fairseq/optim/amp_optimizer.py",
        why="torch.cuda.amp.GradScaler is deprecated",
        changes=(
            Replace(
                "torch.cuda.amp.GradScaler(**amp_kwargs)",
                'torch.amp.GradScaler("cuda", **amp_kwargs)',
            ),
        ),
    ),
    Edit(
        name="attention-masks-of-one-kind",
        file="fairseq/modules/multihead_attention.py",
        why="torch deprecates a boolean padding mask beside a float attention mask, and says so on every run",
        changes=(
            Replace(
                "            else:\n                return F.multi_head_attention_forward(\n",
                MATCHING_MASKS,
            ),
        ),
    ),
)
