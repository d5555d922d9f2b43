"""The edits that bring fairseq 0.12.2 to today's Python, torch, numpy and hydra.

Each is one named unit: the file, what is replaced, why. `tests/environment/test_edited_*.py` show that each defect is gone.
"""

import hashlib
from pathlib import Path
from typing import Tuple, Union

from . import checkpoints, configs, data, encoder_layer, packaging, training, user_dir
from .edit import AddFile, Edit, EditError

VERSION = packaging.VERSION

EDITS: Tuple[Union[Edit, AddFile], ...] = (
    *packaging.EDITS,
    *configs.EDITS,
    *encoder_layer.EDITS,
    *checkpoints.EDITS,
    *data.EDITS,
    *training.EDITS,
    *user_dir.EDITS,
)


def fingerprint() -> str:
    """Return a hash of all edits: equal fingerprints mean equal wheels."""
    return hashlib.sha256(repr(EDITS).encode("utf-8")).hexdigest()[:16]


def apply_all(source: Path) -> None:
    """Apply every edit to fairseq's unpacked source distribution, and write down which they are.

    The list goes into `fairseq/edits.py`, so that an installed fairseq can say how it was edited.

    Raises:
        EditError: an edit does not fit; names the edit and the file.
    """
    for edit in EDITS:
        edit.apply(source)
    names = "".join(f"    {edit.name!r},\n" for edit in EDITS)
    text = f'"""Written by scripts/setup.sh."""\n\nFINGERPRINT = "{fingerprint()}"\nNAMES = (\n{names})\n'
    (source / "fairseq" / "edits.py").write_text(text, encoding="utf-8")


__all__ = ["EDITS", "VERSION", "AddFile", "Edit", "EditError", "apply_all", "fingerprint"]
