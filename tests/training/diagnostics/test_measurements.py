"""stability.csv: written, and read again."""

import math
from pathlib import Path

import pytest

from deepnet_fairseq.errors import DataError
from deepnet_fairseq.training.diagnostics.measurements import (
    COLUMNS,
    FILE_NAME,
    Measurement,
    Writer,
    read,
)

HEADER = "update,stack,layer,quantity,value\n"
ROWS = [
    Measurement(0, "model", 0, "probe_nll", 7.25),
    Measurement(0, "encoder", 12, "output_variance", 1.5e-9),
    Measurement(3, "decoder", 1, "gradient_norm", 123456.0),
    Measurement(10, "model", 0, "model_step", math.inf),
]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "new folder" / FILE_NAME)
    writer.write(ROWS[:2])
    writer.write(ROWS[2:])
    assert read(writer.path) == ROWS
    assert writer.path.read_text().splitlines()[0] == ",".join(COLUMNS) == HEADER.strip()
    assert writer.path.read_text().count("update,") == 1


def test_values_have_six_significant_digits(tmp_path: Path) -> None:
    writer = Writer(tmp_path / FILE_NAME)
    writer.write(
        [
            Measurement(1, "model", 0, "model_step", 0.000123456789),
            Measurement(1, "model", 0, "shuffled_source_nll_gap", math.nan),
        ]
    )
    first, second = read(writer.path)
    assert first.value == 0.000123457
    assert math.isnan(second.value)


def test_the_later_run_of_a_resumed_training_counts(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    runs = [[(1, 0.1), (5, 0.5), (9, 0.9)], [(5, 0.51), (7, 0.71)]]
    for run in runs:
        Writer(path).write(
            Measurement(update, "model", 0, "model_step", value) for update, value in run
        )
    assert [(m.update, m.value) for m in read(path)] == [(1, 0.1), (5, 0.51), (7, 0.71), (9, 0.9)]


def test_quantities_and_layers_do_not_replace_one_another(tmp_path: Path) -> None:
    rows = [
        Measurement(1, stack, layer, name, 1.0)
        for stack in ("encoder", "decoder")
        for layer in (1, 2)
        for name in ("a", "b")
    ]
    Writer(tmp_path / FILE_NAME).write(rows)
    assert read(tmp_path / FILE_NAME) == rows


def test_names_of_earlier_versions_are_translated(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(HEADER + "3,model,0,source_gap,0.5\n3,model,0,encoder_spread,0.25\n")
    assert read(path) == [
        Measurement(3, "model", 0, "shuffled_source_nll_gap", 0.5),
        Measurement(3, "model", 0, "token_variance_ratio", 0.25),
    ]


MALFORMED = [
    ("empty", "", "line 1: is not update,stack,layer,quantity,value"),
    ("other columns", "update,value\n1,2\n", "line 1: is not"),
    (
        "no number",
        HEADER + "1,model,0,model_step,0.5\n2,model,0,model_step,much\n",
        "line 3: '2,model,0,model_step,much'",
    ),
    ("half a line", HEADER + "1,model,0,mod", "line 2: '1,model,0,mod' is not a measurement"),
    ("half an update", HEADER + "1.5,model,0,model_step,1\n", "line 2: '1.5,model,0,model_step,1'"),
    ("too many", HEADER + "1,model,0,model_step,1,2\n", "line 2: '1,model,0,model_step,1,2'"),
]


@pytest.mark.parametrize(
    ("text", "message"), [m[1:] for m in MALFORMED], ids=[m[0] for m in MALFORMED]
)
def test_anything_else_is_refused_with_file_and_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(text)
    with pytest.raises(DataError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}, {message}")
