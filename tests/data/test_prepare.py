"""The prepare command: from a config to binary data, once, and safe to run again."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import pytest
from fairseq.data import indexed_dataset

from deepnet_fairseq.commands import prepare as command
from deepnet_fairseq.commands.prepare import format_table, main
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.download import Downloads
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.parallel import Jobs

ROOT = Path(__file__).parents[2]
CONFIG = """
work_dir: {work_dir}
corpus: {{kind: cldr, languages: [de, ja], zero_shot: [de-ja], train_lines: 120, dev_lines: 12,
  test_lines: 14, countries: 9, years: 2}}
vocabulary: {{size: 300}}
training: {{arch: deepnet_transformer, encoder-langtok: tgt, lr: 5.0e-4}}
"""
DOWNLOADS = Downloads(Path("downloads"))
LINES = {
    "de-en": {"train": 120, "dev": 12, "test": 14},
    "en-ja": {"train": 120, "dev": 12, "test": 14},
    "de-ja": {"test": 14},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG.format(work_dir=tmp_path / "work"), encoding="utf-8")
    return path


def prepare(recipe: Recipe) -> Dict[str, Dict[str, int]]:
    return command.prepare(recipe, DOWNLOADS, Jobs())


def edited(config: Path, old: str, new: str) -> Recipe:
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")
    return load_recipe(config)


def state(folder: Path) -> Dict[str, tuple]:
    """Each file's content and time of change, except logs."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in files
    }


def changed(before: Dict[str, tuple], after: Dict[str, tuple], folder: Path) -> List[str]:
    """The stages whose folder was built again."""
    paths = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    return sorted({Path(path).relative_to(folder).parts[0] for path in paths})


def test_prepare_makes_every_line_binary(config: Path) -> None:
    recipe = load_recipe(config)
    assert prepare(recipe) == LINES
    for pair, splits in LINES.items():
        for split, lines in splits.items():
            for language in pair.split("-"):
                prefix = (
                    recipe.data_bin / f"{'valid' if split == 'dev' else split}.{pair}.{language}"
                )
                assert len(indexed_dataset.make_dataset(str(prefix), impl="mmap")) == lines
    assert sorted(path.name for path in recipe.work_dir.iterdir()) == [
        "cleaning.tsv",
        "corpus",
        "data-bin",
        "manifest.json",
        "vocabulary",
    ]


def test_a_second_run_does_nothing_and_says_the_same(config: Path) -> None:
    recipe = load_recipe(config)
    first, before = prepare(recipe), state(recipe.work_dir)
    assert prepare(load_recipe(config)) == first
    assert state(recipe.work_dir) == before


def test_an_interrupted_run_is_taken_up_at_the_step_it_died_in(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(config)
    with monkeypatch.context() as patch:
        patch.setattr(
            "deepnet_fairseq.commands.prepare.binarize",
            lambda *_: (_ for _ in ()).throw(KeyboardInterrupt),
        )
        with pytest.raises(KeyboardInterrupt):
            prepare(recipe)
    before = state(recipe.work_dir)
    assert not recipe.data_bin.exists()
    assert prepare(recipe) == LINES
    assert changed(before, state(recipe.work_dir), recipe.work_dir) == [
        "cleaning.tsv",
        "data-bin",
        "manifest.json",
    ]


@pytest.mark.parametrize(
    ("old", "new", "stages"),
    [
        ("seed: 1", "seed: 2", ["corpus", "data-bin", "manifest.json", "vocabulary"]),
        ("size: 300", "size: 310", ["data-bin", "manifest.json", "vocabulary"]),
        ("lr: 5.0e-4", "lr: 6.0e-4", []),
    ],
    ids=["corpus", "vocabulary", "training"],
)
def test_a_changed_config_makes_what_depends_on_it_anew(
    config: Path, old: str, new: str, stages: List[str]
) -> None:
    recipe = edited(config, "kind: cldr", "kind: cldr, seed: 1")
    prepare(recipe)
    before = state(recipe.work_dir)
    prepare(edited(config, old, new))
    assert changed(before, state(recipe.work_dir), recipe.work_dir) == stages


def test_data_that_checkpoints_were_trained_on_are_not_replaced(config: Path) -> None:
    recipe = load_recipe(config)
    prepare(recipe)
    recipe.checkpoint_dir.mkdir()
    (recipe.checkpoint_dir / "checkpoint_last.pt").touch()
    assert prepare(recipe) == LINES
    before = state(recipe.work_dir)
    with pytest.raises(
        DataError,
        match=r"vocabulary was made from another config, and .*checkpoints was trained on it",
    ):
        prepare(edited(config, "size: 300", "size: 310"))
    assert state(recipe.work_dir) == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ja]", "tlh]", "'tlh'"),
        ("size: 300", "size: 30000", "vocabulary.size is 30000"),
        ("train_lines: 120", "train_lines: 1200000000000000", "the inventory yields only"),
        ("kind: cldr", "kind: opus", "'opus'"),
    ],
    ids=["language", "vocabulary", "lines", "kind"],
)
def test_what_cannot_be_made_is_one_line_on_stderr(
    config: Path, capsys: pytest.CaptureFixture, old: str, new: str, message: str
) -> None:
    config.write_text(
        config.read_text(encoding="utf-8").replace("zero_shot: [de-ja], ", "").replace(old, new),
        encoding="utf-8",
    )
    assert main([str(config)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert (
        captured.err.splitlines()[-1].startswith("prepare.sh: ")
        and message in captured.err.splitlines()[-1]
    )
    assert not list(config.parent.glob("work/*.partial"))


def test_the_script_prints_a_table_alone_on_stdout(config: Path) -> None:
    environment = {**os.environ, "PYTHON": sys.executable}
    result = subprocess.run(
        [ROOT / "scripts/prepare.sh", str(config), "--workers", "2"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == format_table(LINES) + "\n"


def test_a_clusters_jobs_make_the_same_bytes(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(config)]) == 0
    alone = state(tmp_path / "work")
    (tmp_path / "work").rename(tmp_path / "alone")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert (
        main(
            [
                str(config),
                "--cluster",
                "local",
                "--workers",
                "2",
                "--cluster-option",
                "timeout_min=5",
            ]
        )
        == 0
    )
    made = {
        name: digest
        for name, (digest, _) in state(tmp_path / "work").items()
        if "/jobs/" not in name
    }
    assert made == {name: digest for name, (digest, _) in alone.items()}
    assert list((tmp_path / "work/jobs").glob("*_result.pkl"))  # it was the cluster that did it


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--cluster", "local", "--cluster-option", "timeout_min"],
            "--cluster-option timeout_min: write NAME=VALUE",
        ),
        (["--cluster", "local", "--cluster-option", "coffee=3"], "submitit refuses it"),
        (["--workers", "0"], "--workers is 0; it must be at least 1"),
        (["--source-dir", "nowhere"], "--source-dir nowhere: no such folder"),
    ],
    ids=["no value", "no such option", "no workers", "no folder"],
)
def test_a_wrong_call_is_explained(
    config: Path, capsys: pytest.CaptureFixture, arguments: List[str], message: str
) -> None:
    try:
        assert main([str(config), *arguments]) == 1
    except SystemExit as error:
        assert error.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_another_prepare_on_the_same_folder_is_kept_away(
    config: Path, capsys: pytest.CaptureFixture
) -> None:
    recipe = load_recipe(config)
    with command.lock(recipe.data_dir):
        assert main([str(config)]) == 1
    assert "another prepare.sh is at work there" in capsys.readouterr().err
    assert main([str(config)]) == 0


def test_data_that_several_configs_share_are_not_replaced(config: Path, tmp_path: Path) -> None:
    shared = edited(config, "work_dir:", f"data_dir: {tmp_path}/data\nwork_dir:")
    assert prepare(shared) == LINES
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "cleaning.tsv",
        "corpus",
        "data-bin",
        "manifest.json",
        "vocabulary",
    ]
    with pytest.raises(
        DataError, match=r"vocabulary was made from another config, and other trainings may use it"
    ):
        prepare(edited(config, "size: 300", "size: 310"))


def test_the_manifest_says_what_the_data_were_made_from(config: Path) -> None:
    recipe = load_recipe(config)
    prepare(recipe)
    content = json.loads((recipe.data_dir / "manifest.json").read_text(encoding="utf-8"))
    assert content["lines"] == LINES
    assert content["corpus"]["counts"]["supervised/de-en"]["train"]["kept"] == 120
    assert content["vocabulary"]["pieces"] == 300
    assert (
        content["vocabulary"]["model_sha256"]
        == hashlib.sha256((recipe.vocabulary_dir / "spm.model").read_bytes()).hexdigest()
    )
    assert content["tools"].keys() == {"corpus", "vocabulary", "data-bin"}
    assert content["tools"]["data-bin"]["fairseq"].startswith("0.12.2+deepnet.")
    assert str(config.parent) not in json.dumps(content)
    report = (recipe.data_dir / "cleaning.tsv").read_text(encoding="utf-8").splitlines()
    assert report[0].split("\t") == ["pair", "split", "read", "kept"]
    assert report[1].split("\t") == ["supervised/de-en", "train", "120", "120"]
    assert report[-1].split("\t") == ["all", "train", "240", "240"]


def test_the_table_has_a_row_per_pair() -> None:
    assert format_table(LINES).splitlines() == [
        "pair\ttrain\tdev\ttest",
        "de-en\t120\t12\t14",
        "en-ja\t120\t12\t14",
        "de-ja\t-\t-\t14",
    ]


def test_the_table_has_a_column_for_further_test_sets() -> None:
    assert (
        format_table({"de-en": {"train": 1, "newstest2017": 3004}})
        == "pair\ttrain\tdev\ttest\tnewstest2017\nde-en\t1\t-\t-\t3004"
    )
