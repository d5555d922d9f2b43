"""The benchmark of prepare.sh on OPUS-100's shape, at a ten-thousandth of its size."""

import pytest

from benchmarks.opus100 import MIN_LINES, main
from deepnet_fairseq.data.corpora import opus100
from deepnet_fairseq.data.corpora.opus100_files import TRAINING_PAIRS


def test_all_pairs_are_fetched_cleaned_and_made_binary(capsys: pytest.CaptureFixture) -> None:
    before = dict(opus100.ARCHIVES)
    assert main(["--share", "0.0001", "--workers", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    read = sum(max(MIN_LINES, int(count * 0.0001)) for count in TRAINING_PAIRS.values())
    assert lines[0].startswith(f"training pairs read: {read:,}, ")
    # Each of 94 corpora loses ten pairs of its test set, and each of all 99 one duplicate.
    assert lines[0].endswith(f"kept: {read - 94 * 11 - 5:,}")
    assert [line.partition(":")[0] for line in lines[1:4]] == ["corpus", "vocabulary", "data-bin"]
    assert opus100.ARCHIVES == before
