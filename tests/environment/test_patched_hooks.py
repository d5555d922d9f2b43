"""What the series adds for plugins: index pointers, batch ends, hooks into the training loop."""

from pathlib import Path
from typing import List, Optional, Tuple

import numpy as np
import pytest
from fairseq import checkpoint_utils
from fairseq.data import data_utils
from fairseq.data.indexed_dataset import MMapIndexedDataset
from support.fairseq_commands import SMALL, run_in_subprocess


@pytest.mark.patch("index-pointers-in-numpy")
@pytest.mark.parametrize("as_list", [True, False], ids=["list", "int32-array"])
def test_pointers_are_byte_offsets_that_do_not_overflow(as_list: bool, tmp_path: Path) -> None:
    sizes = np.array([2**30, 3, 2**30, 5], np.int32)
    with MMapIndexedDataset.Index.writer(str(tmp_path / "x.idx"), np.int32) as index:
        index.write(sizes.tolist() if as_list else sizes)
    content = np.fromfile(tmp_path / "x.idx", np.int64, offset=9 + 8 + 1 + 8 + 4 * len(sizes))
    assert content.tolist() == [0, 2**32, 2**32 + 12, 2**33 + 12]


@pytest.mark.patch("index-pointers-in-numpy")
def test_an_index_without_sentences_can_be_written(tmp_path: Path) -> None:
    with MMapIndexedDataset.Index.writer(str(tmp_path / "x.idx"), np.uint16) as index:
        index.write([])
    assert (tmp_path / "x.idx").stat().st_size == 9 + 8 + 1 + 8


# (max_tokens, max_sentences, multiple) -> sizes of the batches that fairseq 0.12.2 without patches
# makes of 60 sorted lengths.
GOLDEN = {
    (None, None, 1): [60],
    (90, None, 1): [12, 8, 6, 5, 4, 4, *[3] * 7],
    (90, None, 8): [8, 8, 7, 5, 4, 4, *[3] * 8],
    (None, 7, 1): [*[7] * 8, 4],
    (None, 12, 8): [*[8] * 7, 4],
    (64, 5, 4): [*[4] * 7, 3, 3, *[2] * 13],
    (30, None, 16): [8, 4, 3, *[2] * 6, *[1] * 33],
}
Limits = Tuple[Optional[int], Optional[int], int]


@pytest.mark.patch("batch-ends-by-size")
@pytest.mark.parametrize(("limits", "sizes"), GOLDEN.items(), ids=map(str, GOLDEN))
def test_batches_and_their_ends_are_stocks(limits: Limits, sizes: List[int]) -> None:
    lengths = np.sort(np.random.RandomState(3).randint(1, 31, 60))
    batches = data_utils.batch_by_size(np.arange(60), None, lengths, *limits)
    assert [len(batch) for batch in batches] == sizes
    assert np.concatenate(batches).tolist() == list(range(60))
    ends = data_utils.batch_ends_by_size(lengths, *limits)
    assert ends.tolist() == np.cumsum(sizes).tolist()


@pytest.mark.patch("batch-ends-by-size")
def test_no_sentences_are_no_batches() -> None:
    nothing = np.zeros(0, np.int64)
    assert data_utils.batch_by_size(nothing, None, nothing, 90) == []
    assert data_utils.batch_ends_by_size(nothing, 90).tolist() == []


@pytest.mark.patch("batch-ends-by-size")
def test_a_sentence_beyond_the_limit_is_refused() -> None:
    with pytest.raises(AssertionError, match="max_tokens=90"):
        data_utils.batch_ends_by_size(np.array([12, 91]), 90)


PLUGIN = """
from fairseq.training_hooks import TrainingHook, register_training_hook


class Third(TrainingHook):
    def begin_training(self):
        print("begins")

    def stop_reason(self, trainer):
        return "the third update" if trainer.get_num_updates() >= 3 else None


class Idle(TrainingHook):
    def stop_reason(self, trainer):
        print("asked after", trainer.get_num_updates())


register_training_hook(Third())
register_training_hook(Idle())
"""


@pytest.mark.patch("training-hooks")
def test_a_plugin_stops_a_training_of_any_task_with_a_checkpoint_and_without_validation(
    toy_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "plugin").mkdir()
    (tmp_path / "plugin" / "__init__.py").write_text(PLUGIN)
    flags = ["--user-dir", tmp_path / "plugin", "--save-dir", tmp_path / "run", "--max-epoch", 9]
    output = run_in_subprocess("train", toy_data, *SMALL, *flags, "--max-tokens", 40).stdout
    assert output.index("begins") < output.index("asked after 1")
    assert [f"asked after {update}" in output for update in (1, 2, 3, 4)] == [True] * 3 + [False]
    assert "stopped by the third update after 3 updates; the next start resumes" in output
    assert "begin validation" not in output
    [checkpoint] = (tmp_path / "run").iterdir()
    state = checkpoint_utils.load_checkpoint_to_cpu(str(checkpoint))
    assert checkpoint.name == "checkpoint_last.pt"
    assert state["optimizer_history"][-1]["num_updates"] == 3
