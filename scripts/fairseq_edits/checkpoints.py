"""Checkpoints: what may be in one, and how it is written (rows 7 and 12)."""

from pathlib import Path
from typing import Tuple, Union

from .edit import AddFile, Edit, Replace

SAFE_LOADING = Path(__file__).with_name("safe_loading.py")

ATOMIC_COPY = """\
                # copied beside and then renamed: a kill must not leave half a checkpoint
                beside = cp + ".tmp" if PathManager.supports_rename(cp) else cp
                assert PathManager.copy(
                    checkpoints[0], beside, overwrite=True
                ), f"Failed to copy {checkpoints[0]} to {cp}"
                if beside != cp:
                    PathManager.rename(beside, cp)
"""

EDITS: Tuple[Union[Edit, AddFile], ...] = (
    AddFile(
        name="safe-loading-module",
        file="fairseq/safe_loading.py",
        why="one place that says which classes a checkpoint may hold",
        text=SAFE_LOADING.read_text(encoding="utf-8"),
    ),
    Edit(
        name="checkpoints-load-with-an-allow-list",
        file="fairseq/checkpoint_utils.py",
        why="torch 2.6 refuses fairseq's own checkpoints: 'Weights only load failed ... argparse.Namespace'",
        changes=(
            Replace(
                "from fairseq.models import FairseqDecoder, FairseqEncoder\n",
                "from fairseq.models import FairseqDecoder, FairseqEncoder\nfrom fairseq.safe_loading import load_allowed\n",
            ),
            Replace(
                '        state = torch.load(f, map_location=torch.device("cpu"))\n',
                "        state = load_allowed(f, local_path)\n",
            ),
            Replace(
                "        new_state = torch.load(\n"
                "            f,\n"
                "            map_location=(\n"
                '                lambda s, _: torch.serialization.default_restore_location(s, "cpu")\n'
                "            ),\n"
                "        )\n",
                "        new_state = load_allowed(f, fpath)\n",
            ),
        ),
    ),
    Edit(
        name="broadcast-between-workers",
        file="fairseq/distributed/utils.py",
        why="workers other than the first could not resume: the state they are sent holds omegaconf objects",
        changes=(
            Replace(
                '        obj = torch.load(buffer, map_location="cpu")\n',
                "        # Not a file: these bytes were made a moment ago by the first worker of this very run.\n"
                '        obj = torch.load(buffer, map_location="cpu", weights_only=False)\n',
            ),
        ),
    ),
    Edit(
        name="checkpoint-copies-are-atomic",
        file="fairseq/checkpoint_utils.py",
        why="checkpoint_last.pt was copied in place: a kill left it truncated",
        changes=(
            Replace(
                "                assert PathManager.copy(\n"
                "                    checkpoints[0], cp, overwrite=True\n"
                '                ), f"Failed to copy {checkpoints[0]} to {cp}"\n',
                ATOMIC_COPY,
            ),
        ),
    ),
)
