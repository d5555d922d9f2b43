"""README.md and docs/ agree with the code: commands, flags, tables, links and pictures."""

import argparse
import fnmatch
import importlib
import re
import shlex
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Set, get_type_hints
from xml.etree import ElementTree

import pytest
from fairseq import options

from deepnet_fairseq.commands import compare, evaluate, prepare, train
from deepnet_fairseq.config.load import load_recipe
from deepnet_fairseq.config.recipe import Recipe
from deepnet_fairseq.data.corpora import CORPORA
from deepnet_fairseq.evaluation.score.metrics import METRICS
from deepnet_fairseq.network.architectures import ARCHITECTURES
from deepnet_fairseq.network.schemes import RESIDUALS
from deepnet_fairseq.training.diagnostics import measurements
from experiments import stability

ROOT = Path(__file__).parents[1]
PAGES: Dict[str, str] = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}
# The config that the quick start's page tells the reader to write, and the page that shows it.
OWN_CONFIG, OWN_CONFIG_PAGE = "configs/mine.yaml", "docs/quickstart.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# A fairseq command line that is complete but for the flags that a page adds.
TRAINING = ["data-bin", "--user-dir", "deepnet_fairseq", "--arch", "deepnet_transformer"]
TRAINING += ["--task", "translation_multi_deepnet"]


def blocks(page: str, language: str) -> List[str]:
    return [text for name, text in FENCE.findall(PAGES[page]) if name == language]


def prose(page: str) -> str:
    """Return the page without its fenced blocks."""
    return FENCE.sub("", PAGES[page])


class Command(NamedTuple):
    """A command that a page tells the reader to type."""

    page: str
    words: List[str]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def commands(*names: str) -> List[Command]:
    """Return the commands of all pages, or those of the named programs."""
    found: List[Command] = []
    for page in PAGES:
        for line in "".join(blocks(page, "bash")).replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and (not names or words[0] in names):
                found.append(Command(page, words))
    return found


def table(page: str, heading: str) -> List[str]:
    """Return the names in backquotes in the first column of the table with this heading."""
    lines = PAGES[page].splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    names: List[str] = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        names += re.findall(r"`([^`]+)`", line.split("|")[1])
    return names


def flags_of(parser: argparse.ArgumentParser) -> Set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][\w-]*", parser.format_help()))


# Commands


def test_pages_name_only_programs_that_are_tested_here() -> None:
    known = {"source", "pip", "deepnet-setup", "tensorboard", "sbatch"}
    known |= {"fairseq-train", "fairseq-generate", "fairseq-preprocess"}
    for command in commands():
        assert command.words[0] in known or command.words[0].startswith("scripts/"), str(command)


@pytest.mark.parametrize("command", commands(), ids=str)
def test_files_that_a_command_names_exist(command: Command) -> None:
    for word in command.words:
        if re.match(r"(scripts|configs|experiments|tests)/", word) and word != OWN_CONFIG:
            assert (ROOT / word).exists(), word
        if word.startswith("scripts/") and word.endswith(".sh"):
            assert (ROOT / word).stat().st_mode & 0o111


@pytest.mark.parametrize(
    "command", commands("scripts/setup.sh", "scripts/quickstart.sh", "scripts/test.sh"), ids=str
)
def test_a_script_explains_the_flags_that_a_page_gives_it(command: Command) -> None:
    script = ROOT / command.words[0]
    help_text = subprocess.run([script, "--help"], check=True, capture_output=True, text=True)
    for word in command.words[1:]:
        assert not word.startswith("-") or word in help_text.stdout.split(), word


@pytest.mark.parametrize("command", commands("scripts/prepare.sh"), ids=str)
def test_prepare_takes_the_flags_that_are_named(command: Command) -> None:
    prepare.make_parser().parse_args(command.words[1:])


@pytest.mark.parametrize("command", commands("scripts/compare.sh"), ids=str)
def test_compare_takes_the_flags_that_are_named(command: Command) -> None:
    compare.make_parser().parse_args(command.words[1:])


@pytest.fixture
def own_config(tmp_path: Path) -> Path:
    """Return the quick start page's config for one's own text, saved where it finds base.yaml."""
    [text] = blocks(OWN_CONFIG_PAGE, "yaml")
    path = tmp_path / Path(OWN_CONFIG).name
    path.write_text(text.replace("base.yaml", str(ROOT / "configs/base.yaml")), encoding="utf-8")
    return path


@pytest.mark.parametrize("command", commands("scripts/train.sh"), ids=str)
def test_train_takes_the_flags_that_are_named(
    command: Command,
    own_config: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    words = [str(own_config) if word == OWN_CONFIG else word for word in command.words[1:]]
    assert train.main([*words, "--dry-run"]) == 0
    assert "fairseq-train" in capsys.readouterr().out


@pytest.mark.parametrize("command", commands("scripts/evaluate.sh"), ids=str)
def test_evaluate_takes_the_flags_that_are_named(command: Command, own_config: Path) -> None:
    words = [str(own_config) if word == OWN_CONFIG else word for word in command.words[1:]]
    chosen, flags = evaluate.make_parser().parse_known_args(words)
    load_recipe(chosen.config if chosen.config.is_absolute() else ROOT / chosen.config)
    options.parse_args_and_arch(
        options.get_generation_parser(), ["data-bin", "--path", "checkpoint.pt", *flags]
    )


def parse_training_flags(flags: List[str]) -> None:
    options.parse_args_and_arch(options.get_training_parser(), [*TRAINING, *flags])


def split_at_dashes(words: List[str]) -> List[List[str]]:
    at = words.index("--") if "--" in words else len(words)
    return [words[:at], words[at + 1 :]]


@pytest.mark.parametrize("command", commands("scripts/stability.sh"), ids=str)
def test_studies_take_the_options_that_are_named(command: Command) -> None:
    own, flags = split_at_dashes(command.words[1:])
    stability.make_parser().parse_args(own)
    parse_training_flags(flags)


@pytest.mark.parametrize("command", commands("scripts/benchmark.sh"), ids=str)
def test_benchmarks_take_the_options_that_are_named(command: Command) -> None:
    own, flags = split_at_dashes(command.words[2:])
    importlib.import_module(f"benchmarks.{command.words[1]}").make_parser().parse_args(own)
    if command.words[1] == "decoding":
        options.parse_args_and_arch(
            options.get_generation_parser(), ["data-bin", "--path", "checkpoint.pt", *flags]
        )
    else:
        parse_training_flags(flags)


@pytest.mark.parametrize("command", commands("sbatch"), ids=str)
def test_slurm_commands_name_a_script_and_a_config(command: Command) -> None:
    files = [word for word in command.words[1:] if not word.startswith("--")]
    assert len(files) == 2 and all((ROOT / word).is_file() for word in files)


@pytest.mark.parametrize("command", commands("fairseq-train", "fairseq-generate"), ids=str)
def test_bare_fairseq_commands_are_accepted_by_fairseqs_parser(command: Command) -> None:
    parsers: Dict[str, Callable[[], argparse.ArgumentParser]] = {
        "fairseq-train": options.get_training_parser,
        "fairseq-generate": options.get_generation_parser,
    }
    args = options.parse_args_and_arch(parsers[command.words[0]](), input_args=command.words[1:])
    assert args.user_dir == "deepnet_fairseq"


@pytest.mark.parametrize("command", commands("fairseq-preprocess"), ids=str)
def test_preprocess_takes_the_flags_that_are_named(command: Command) -> None:
    options.get_preprocessing_parser().parse_args(command.words[1:])


def test_readme_shows_both_fairseq_commands_the_test_command_and_the_quick_start() -> None:
    shown = {command.words[0] for command in commands() if command.page == "README.md"}
    assert {"fairseq-train", "fairseq-generate", "deepnet-setup"} <= shown
    assert {"scripts/setup.sh", "scripts/quickstart.sh", "scripts/test.sh"} <= shown


def known_flags() -> Set[str]:
    """Return the flags of fairseq's parsers, of the plugin, and of the scripts."""
    parsers = [
        *(command.make_parser() for command in (prepare, train, evaluate, compare, stability)),
        options.get_training_parser(),
        options.get_generation_parser(),
        options.get_preprocessing_parser(),
    ]
    known = {flag for parser in parsers for flag in flags_of(parser)}
    # The flags of the plugin's model and task are those that fairseq-train has with them.
    with_plugin = vars(options.parse_args_and_arch(options.get_training_parser(), TRAINING))
    known |= {f"--{name.replace('_', '-')}" for name in with_plugin}
    folder = ROOT / "scripts"
    scripts = [*folder.glob("*.sh"), *folder.glob("*.py"), *folder.glob("slurm/*.sbatch")]
    return known | set(re.findall(r"--[a-z][\w-]*", "".join(map(Path.read_text, scripts))))


def test_every_flag_in_the_text_exists() -> None:
    known = known_flags()
    for page in PAGES:
        for code in re.findall(r"`([^`\n]+)`", prose(page)):
            for flag in re.findall(r"(?<![\w-])--[a-z][\w-]*", code):
                assert flag in known, f"{page}: {flag}"


# Configs


def test_the_config_for_ones_own_text_is_accepted(own_config: Path) -> None:
    recipe = load_recipe(own_config)
    assert recipe.supervised_pairs == [("de", "en"), ("en", "fr")]
    assert recipe.zero_shot_pairs == [("de", "fr")]


def test_the_configs_on_the_page_about_data_are_accepted(tmp_path: Path) -> None:
    further, bitexts = blocks("docs/data.md", "yaml")
    base = ROOT / "configs/opus100/opus100_12l.yaml"
    (tmp_path / "further.yaml").write_text(f"extends: {base}\n{further}", encoding="utf-8")
    assert set(load_recipe(tmp_path / "further.yaml").test_sets) == {"flores200", "ted"}
    (tmp_path / "many.yaml").write_text(
        bitexts.replace("base.yaml", str(ROOT / "configs/base.yaml")), encoding="utf-8"
    )
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.tsv").write_text("de-en\ta.de\ta.en\n", encoding="utf-8")
    assert load_recipe(tmp_path / "many.yaml").supervised_pairs == [("de", "en")]


# Tables


def test_every_architecture_that_fairseq_can_name_is_in_the_table() -> None:
    listed = table("docs/training.md", "`--arch`")
    # These two only hold what a family shares; they are parents of those listed.
    families = {"deepnet_transformer_wmt17", "deepnet_transformer_opus100"}
    assert sorted(listed) == sorted(set(ARCHITECTURES) - families)


def test_every_residual_scheme_is_in_the_table() -> None:
    assert sorted(table("docs/training.md", "`--residual-scheme`")) == sorted(RESIDUALS)


def test_every_shipped_config_is_listed_once() -> None:
    patterns = table("docs/training.md", "config")
    folder = ROOT / "configs"
    shipped = {str(path.relative_to(folder)) for path in folder.rglob("*.yaml")}
    listed = [name for pattern in patterns for name in fnmatch.filter(shipped, pattern)]
    assert sorted(listed) == sorted(shipped)
    assert all(fnmatch.filter(shipped, pattern) for pattern in patterns)


def test_the_studies_configs_are_named() -> None:
    for path in (ROOT / "experiments/configs").glob("*.yaml"):
        assert f"`{path.name}`" in PAGES["docs/training.md"]


def test_every_kind_of_corpus_is_in_the_table() -> None:
    assert sorted(table("docs/data.md", "`corpus.kind`")) == sorted(CORPORA)


def test_every_cleaning_option_is_in_the_table() -> None:
    config = get_type_hints(Recipe)["cleaning"]
    listed = table("docs/data.md", "`cleaning`")
    assert sorted(listed) == sorted(field.name for field in fields(config))


def test_every_metric_is_in_the_table() -> None:
    assert sorted(table("docs/evaluation.md", "`evaluation.metrics`")) == sorted(METRICS)


def test_every_option_of_compare_is_in_the_table() -> None:
    listed = {name.split()[0] for name in table("docs/comparing.md", "option")}
    flags = flags_of(compare.make_parser()) - {"--help"}
    assert {name for name in listed if name.startswith("--")} == flags


def test_every_measurement_is_in_the_table() -> None:
    constants = {name: value for name, value in vars(measurements).items() if name.isupper()}
    names = {v for n, v in constants.items() if isinstance(v, str) and n != "FILE_NAME"}
    assert set(table("docs/stability.md", "measurement")) == names


def test_every_patch_is_in_the_table() -> None:
    shipped = [path.stem for path in sorted((ROOT / "scripts/patches").glob("*.patch"))]
    assert shipped and table("docs/fairseq.md", "patch") == shipped


@pytest.mark.parametrize("page", ["docs/training.md", "docs/stability.md", "docs/limits.md"])
def test_a_page_that_shows_branchnorm_first_says_that_it_is_not_verified(page: str) -> None:
    text = " ".join(PAGES[page].split())
    start = text.index("BranchNorm" if page != "docs/training.md" else "**BranchNorm.**")
    assert (
        "not verified against its paper, and it was measured at T = 400 of 500"
        in (text[start : start + 130])
    )


# Links and pictures


def anchors(path: Path) -> Set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_resolve(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


@pytest.mark.parametrize("page", PAGES)
def test_files_that_the_text_names_exist(page: str) -> None:
    folders = "configs|scripts|deepnet_fairseq|experiments|benchmarks|tests|docs"
    for code in re.findall(r"`([^`\n]+)`", prose(page)):
        for name in re.findall(rf"(?<![\w/.-])(?:{folders})/[\w./<>*-]*", code):
            if "<" not in name and "*" not in name and name != OWN_CONFIG:
                assert (ROOT / name).exists(), name


def test_pages_that_code_and_configs_name_exist() -> None:
    for folder in ("configs", "scripts", "deepnet_fairseq", "experiments", "benchmarks"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".yaml", ".sh", ".sbatch"):
                for name in re.findall(r"docs/[\w/]+\.md", path.read_text(encoding="utf-8")):
                    assert name in PAGES, f"{path}: {name}"


def test_readme_links_to_every_page_and_pages_show_every_picture() -> None:
    for page in PAGES:
        assert page == "README.md" or f"({page}" in PAGES["README.md"], page
    text = "".join(PAGES.values())
    for picture in (ROOT / "docs/images").iterdir():
        assert f"images/{picture.name})" in text, picture.name


@pytest.mark.parametrize("name", ["layer.svg", "pipeline.svg"])
def test_a_drawing_is_well_formed_and_its_text_is_text(name: str) -> None:
    root = ElementTree.parse(ROOT / "docs/images" / name).getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title") is not None and root.find(f"{space}desc") is not None
    assert len(root.findall(f"{space}text")) > 10 and root.find(f"{space}image") is None


# Form


def test_readme_has_at_most_200_lines() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 200


@pytest.mark.parametrize("page", PAGES)
def test_lines_have_at_most_100_columns(page: str) -> None:
    """Tables, and lines that hold a single address, cannot be wrapped."""
    for line in PAGES[page].splitlines():
        assert len(line) <= 100 or line.startswith("|") or " " not in line.strip(), line


@pytest.mark.parametrize("page", PAGES)
def test_no_page_names_a_folder_of_one_machine(page: str) -> None:
    assert not re.findall(r"(?<![\w.])/(?:home|root|tmp|work|mnt|usr|opt|var)\b", PAGES[page])
