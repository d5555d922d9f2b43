"""--user-dir by a package's name, and of a package that is already imported."""

import sys
from argparse import Namespace
from pathlib import Path

import pytest
from fairseq import options
from fairseq.utils import import_user_module


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `a_plugin` in a folder of its own, to be forgotten afterwards."""
    folder = tmp_path / "site" / "a_plugin"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(import_user_module, "memo", set(), raising=False)
    monkeypatch.delitem(sys.modules, "a_plugin", raising=False)
    yield folder
    sys.modules.pop("a_plugin", None)


@pytest.mark.patch("user-dir-by-package-name")
def test_name_of_an_importable_package_is_enough(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(package.parent))
    import_user_module(Namespace(user_dir="a_plugin"))
    assert sys.modules["a_plugin"].__file__ == str(package / "__init__.py")


@pytest.mark.patch("user-dir-by-package-name")
@pytest.mark.parametrize("name", ["a_plugin", "no/such/folder", "json.decoder", "sys"])
def test_what_is_neither_folder_nor_package_is_named(name: str, package: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=f"--user-dir {name}: neither a folder nor an importable package"
    ):
        import_user_module(Namespace(user_dir=name))


@pytest.mark.patch("user-dir-by-package-name")
def test_folder_still_wins_over_a_package_of_that_name(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(package.parent))
    (Path.cwd() / "a_plugin").mkdir()
    (Path.cwd() / "a_plugin" / "__init__.py").write_text("")
    import_user_module(Namespace(user_dir="a_plugin"))
    assert sys.modules["a_plugin"].__file__ == str(Path.cwd() / "a_plugin" / "__init__.py")


@pytest.mark.patch("user-dir-by-package-name")
def test_this_project_is_found_by_name_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["data", "--user-dir", "deepnet_fairseq", "--arch", "deepnet_transformer"]
    assert (
        options.parse_args_and_arch(options.get_training_parser(), input_args=words).arch
        == "deepnet_transformer"
    )


@pytest.mark.patch("user-dir-imported-already")
def test_package_that_was_imported_by_another_path_is_no_clash(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = package.parents[1] / "link"
    link.symlink_to(package.parent, target_is_directory=True)
    monkeypatch.syspath_prepend(str(link))
    import a_plugin

    import_user_module(Namespace(user_dir=str(package)))
    assert sys.modules["a_plugin"] is a_plugin


@pytest.mark.patch("user-dir-imported-already")
@pytest.mark.parametrize("kind", ["package", "module"])
def test_another_package_of_the_same_name_is_still_a_clash(
    kind: str, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = package.parents[1] / "other"
    other.mkdir()
    if kind == "package":
        (other / "a_plugin").mkdir()
    (other / ("a_plugin/__init__.py" if kind == "package" else "a_plugin.py")).write_text("")
    monkeypatch.syspath_prepend(str(other))
    import a_plugin  # noqa: F401

    with pytest.raises(ImportError, match="not globally unique"):
        import_user_module(Namespace(user_dir=str(package)))
