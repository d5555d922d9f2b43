"""How one named edit of fairseq's source is written down and applied."""

from dataclasses import dataclass
from pathlib import Path
from typing import Tuple, Union


class EditError(ValueError):
    """An edit does not fit the source it is applied to."""


@dataclass(frozen=True)
class Replace:
    """Put `new` where `old` stands; `old` must stand there exactly `count` times."""

    old: str
    new: str
    count: int = 1

    def apply(self, text: str) -> str:
        """Return `text` with the change made.

        Raises:
            EditError: `old` is not there, or more or less often than `count`.
        """
        found = text.count(self.old)
        if found != self.count:
            raise EditError(f"expected {self.count} time(s), found {found} time(s): {self.old!r}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Cut:
    """Put `new` where the text from `first` up to, but without, `until` stands."""

    first: str
    until: str
    new: str = ""

    def apply(self, text: str) -> str:
        """Return `text` with the change made.

        Raises:
            EditError: `first` is not there exactly once, or `until` does not follow it.
        """
        start, end = span(text, self.first, self.until)
        return text[:start] + self.new + text[end:]


@dataclass(frozen=True)
class Dedent:
    """Take one level of indentation from the lines from `first` up to, but without, `until`."""

    first: str
    until: str

    def apply(self, text: str) -> str:
        """Return `text` with the change made.

        Raises:
            EditError: as `Cut`, or a line in between is not indented.
        """
        start, end = span(text, self.first, self.until)
        lines = text[start:end].splitlines(keepends=True)
        for line in lines:
            if line.strip() and not line.startswith("    "):
                raise EditError(f"expected an indented line, found {line!r}")
        dedented = "".join(line[4:] if line.strip() else line for line in lines)
        return text[:start] + dedented + text[end:]


def span(text: str, first: str, until: str) -> Tuple[int, int]:
    """Return where `first` starts in `text` and where the next `until` after it starts.

    Raises:
        EditError: `first` is not there exactly once, or `until` does not follow it.
    """
    found = text.count(first)
    if found != 1:
        raise EditError(f"expected 1 time, found {found} time(s): {first!r}")
    start = text.index(first)
    end = text.find(until, start + len(first))
    if end < 0:
        raise EditError(f"expected after {first!r}, not found: {until!r}")
    return start, end


Change = Union[Replace, Cut, Dedent]


@dataclass(frozen=True)
class Edit:
    """One defect of fairseq 0.12.2, in one file, mended."""

    # Unique; the tests and the error messages call the edit by it.
    name: str
    # Path below the root of fairseq's source distribution.
    file: str
    # What a user would see without the edit.
    why: str
    # Applied in this order.
    changes: Tuple[Change, ...]

    def apply(self, source: Path) -> None:
        """Edit the file below the unpacked source distribution `source`.

        Raises:
            EditError: the text the edit expects is not there; names the edit and the file.
        """
        path = source / self.file
        try:
            text = path.read_text(encoding="utf-8")
            for change in self.changes:
                text = change.apply(text)
        except (OSError, EditError) as error:
            raise EditError(f"edit {self.name!r} does not fit {self.file}: {error}") from error
        path.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class AddFile:
    """One module that fairseq lacks."""

    name: str
    # Path below the root of fairseq's source distribution.
    file: str
    why: str
    text: str

    def apply(self, source: Path) -> None:
        """Write the file below the unpacked source distribution `source`.

        Raises:
            EditError: the file is already there, or its folder is not.
        """
        path = source / self.file
        if path.exists() or not path.parent.is_dir():
            raise EditError(
                f"edit {self.name!r} does not fit {self.file}: expected a new file in an existing folder"
            )
        path.write_text(self.text, encoding="utf-8")
