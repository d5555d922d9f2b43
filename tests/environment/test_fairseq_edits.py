"""How edits are applied, and that each of them is tested."""

import re
from pathlib import Path

import fairseq_edits
import pytest
from fairseq_edits.edit import AddFile, Cut, Dedent, Edit, EditError, Replace

TEXT = "one\n    two\n    three\nfour\n"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Replace("two", "2"), "one\n    2\n    three\nfour\n"),
        (Replace("o", "0", count=3), "0ne\n    tw0\n    three\nf0ur\n"),
        (Cut("    two\n", "four"), "one\nfour\n"),
        (Cut("one\n", "    three", new="1\n"), "1\n    three\nfour\n"),
        (Dedent("    two", "four"), "one\ntwo\nthree\nfour\n"),
    ],
    ids=["replace", "replace-counted", "cut", "cut-with-substitute", "dedent"],
)
def test_change_gives_the_text_written_beside_it(
    change: fairseq_edits.edit.Change, expected: str
) -> None:
    assert change.apply(TEXT) == expected


@pytest.mark.parametrize(
    "change",
    [
        Replace("five", "5"),
        Replace("o", "0"),
        Cut("five", "four"),
        Cut("two", "one"),
        Cut("e", "four"),
        Dedent("one", "four"),
    ],
    ids=[
        "replace-absent",
        "replace-more-often",
        "cut-absent",
        "cut-without-end",
        "cut-ambiguous",
        "dedent-at-the-margin",
    ],
)
def test_edit_names_itself_and_the_file_when_the_text_is_not_as_expected(
    change: fairseq_edits.edit.Change, tmp_path: Path
) -> None:
    (tmp_path / "module.py").write_text(TEXT)
    with pytest.raises(EditError, match=r"'mend-it'.*module\.py"):
        Edit("mend-it", "module.py", "because", (change,)).apply(tmp_path)
    assert (tmp_path / "module.py").read_text() == TEXT


def test_edit_names_itself_and_the_file_when_the_file_is_absent(tmp_path: Path) -> None:
    with pytest.raises(EditError, match=r"'mend-it'.*module\.py"):
        Edit("mend-it", "module.py", "because", (Replace("a", "b"),)).apply(tmp_path)


def test_added_file_replaces_no_other(tmp_path: Path) -> None:
    edit = AddFile("add-it", "module.py", "because", "text\n")
    edit.apply(tmp_path)
    assert (tmp_path / "module.py").read_text() == "text\n"
    with pytest.raises(EditError, match=r"'add-it'.*module\.py"):
        edit.apply(tmp_path)


def test_names_are_unique_and_every_edit_says_why() -> None:
    names = [edit.name for edit in fairseq_edits.EDITS]
    assert len(set(names)) == len(names)
    assert all(len(edit.why) > 20 for edit in fairseq_edits.EDITS)


def test_fingerprint_is_that_of_the_edits(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fairseq_edits.fingerprint()
    assert re.fullmatch(r"[0-9a-f]{16}", before)
    assert fairseq_edits.fingerprint() == before
    monkeypatch.setattr(fairseq_edits, "EDITS", fairseq_edits.EDITS[1:])
    assert fairseq_edits.fingerprint() != before


def test_every_edit_has_a_test_and_every_test_an_edit() -> None:
    source = "".join(path.read_text() for path in Path(__file__).parent.glob("test_edited_*.py"))
    tested = set(re.findall(r"mark\.edit\(\"([\w-]+)\"\)", source))
    assert tested == {edit.name for edit in fairseq_edits.EDITS}


def test_installed_fairseq_carries_these_edits() -> None:
    from fairseq import edits

    assert edits.NAMES == tuple(edit.name for edit in fairseq_edits.EDITS)
    assert edits.FINGERPRINT == fairseq_edits.fingerprint(), (
        "run scripts/setup.sh: the edits have changed since fairseq was installed"
    )
