"""Steps of preparation that are run once: each owns a folder, which appears whole or not at all, with a stamp of what it was made from."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict

from deepnet_fairseq.errors import DataError

STAMP_NAME = "prepared.json"
# In a folder that is being made: what it is made from, and the parts of it that are finished (see Jobs.run).
BEGUN_NAME = "begun.json"
JOURNAL_NAME = "finished.jsonl"


@dataclass(frozen=True)
class Step:
    """One step: the folder it makes, everything that its result depends on, and how it is made."""

    directory: Path
    inputs: Dict[str, Any]  # as JSON holds it
    build: Callable[
        [Path], Any
    ]  # fills a folder, empty or with what its ledger says is finished; what it returns is kept in the stamp

    def stamp(self) -> Dict[str, Any]:
        """The stamp of the finished folder, or {} if there is no folder yet.

        Raises DataError for a folder without a readable stamp: it may be someone's own, and isn't ours to replace.
        """
        if not self.directory.exists():
            return {}
        try:
            return dict(json.loads((self.directory / STAMP_NAME).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.directory} was not made by this step (no readable {STAMP_NAME}): move it away, or use another work_dir"
            ) from error

    def is_finished(self) -> bool:
        return self.stamp().get("inputs") == _as_json(self.inputs)

    def is_outdated(self) -> bool:
        """Whether the folder was made from something else than what is asked for now."""
        return bool(self.stamp()) and not self.is_finished()

    def result(self) -> Any:
        """What build returned when the folder was made."""
        return self.stamp()["result"]

    def run(self) -> None:
        """Make the folder beside its place, then move it there; an older one goes only when the new one is ready.

        What a run that was interrupted had finished, according to its ledger, is kept for the next one with the same inputs.
        """
        partial = self.directory.with_name(self.directory.name + ".partial")
        replaced = self.directory.with_name(self.directory.name + ".replaced")
        if self._is_whole(partial):  # a run was killed before it could move it
            self._move(partial, replaced)
            return
        leftovers = [replaced] if self._was_begun(partial) else [replaced, partial]
        for leftover in leftovers:
            if leftover.exists():
                shutil.rmtree(leftover)
        new_parents = [parent for parent in partial.parents if not parent.exists()]
        partial.mkdir(parents=True, exist_ok=True)
        try:
            (partial / BEGUN_NAME).write_text(json.dumps(self.inputs), encoding="utf-8")
            result = self.build(partial)
            _tidy(partial)
            stamp = {"inputs": self.inputs, "result": result}
            (partial / STAMP_NAME).write_text(
                json.dumps(stamp, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )
        except BaseException:
            if not _has_finished_parts(partial):
                shutil.rmtree(partial, ignore_errors=True)
                for parent in new_parents:
                    parent.rmdir()
            raise
        self._move(partial, replaced)

    def _move(self, partial: Path, replaced: Path) -> None:
        if self.directory.exists():
            os.replace(self.directory, replaced)
        os.replace(partial, self.directory)
        shutil.rmtree(replaced, ignore_errors=True)

    def _is_whole(self, partial: Path) -> bool:
        """Whether partial is finished, and of just this step."""
        try:
            return json.loads((partial / STAMP_NAME).read_text(encoding="utf-8"))[
                "inputs"
            ] == _as_json(self.inputs)
        except (OSError, ValueError, KeyError):
            return False

    def _was_begun(self, partial: Path) -> bool:
        """Whether partial holds finished parts of just this step."""
        try:
            begun = json.loads((partial / BEGUN_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return begun == _as_json(self.inputs) and _has_finished_parts(partial)


def _has_finished_parts(folder: Path) -> bool:
    ledger = folder / JOURNAL_NAME
    return ledger.is_file() and ledger.stat().st_size > 0


def _tidy(folder: Path) -> None:
    """Remove what only a folder in the making has; half-written files of a killed run, hidden or .partial, among it."""
    for path in [
        folder / BEGUN_NAME,
        folder / JOURNAL_NAME,
        *folder.rglob("*.partial"),
        *folder.rglob(".*"),
    ]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)  # it may have lain in one that is gone
        else:
            path.unlink(missing_ok=True)


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))
