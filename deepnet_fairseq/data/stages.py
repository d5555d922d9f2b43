"""Resumable build stages. Each writes one folder atomically and records its inputs."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict

from deepnet_fairseq.errors import DataError

METADATA_NAME = "prepared.json"
# In an unfinished folder: its inputs, and the results of its finished jobs (see Jobs.run).
BEGUN_NAME = "begun.json"
JOURNAL_NAME = "finished.jsonl"


@dataclass(frozen=True)
class Stage:
    """One stage: the folder it writes, everything its result depends on, and how it is built."""

    directory: Path
    inputs: Dict[str, Any]  # JSON
    # Fills a folder: an empty one, or one with the results of the jobs in its journal. What it
    # returns is kept as the stage's result.
    build: Callable[[Path], Any]

    def metadata(self) -> Dict[str, Any]:
        """Return the inputs and result of the finished folder, or {} if there is no folder.

        Raises:
            DataError: The folder has no readable metadata: it may be someone's own, and must not
                be replaced.
        """
        if not self.directory.exists():
            return {}
        try:
            return dict(json.loads((self.directory / METADATA_NAME).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.directory} was not made by this step (no readable {METADATA_NAME}): "
                "move it away, or use another work_dir"
            ) from error

    def is_finished(self) -> bool:
        """Return whether the folder was built from these inputs."""
        return self.metadata().get("inputs") == _as_json(self.inputs)

    def is_outdated(self) -> bool:
        """Return whether the folder was built from other inputs."""
        return bool(self.metadata()) and not self.is_finished()

    def result(self) -> Any:
        """Return what `build` returned for the finished folder."""
        return self.metadata()["result"]

    def run(self) -> None:
        """Build the folder beside its place and move it there, replacing an older one.

        After an interruption, jobs that the journal names as finished are not run again if the
        inputs are the same. Hence this is not io.atomic_folder, which would remove them.
        """
        partial = self.directory.with_name(self.directory.name + ".partial")
        replaced = self.directory.with_name(self.directory.name + ".replaced")
        if self._is_complete(partial):  # a run was killed before it could move the folder
            self._move(partial, replaced)
            return
        leftovers = [replaced] if self._can_resume(partial) else [replaced, partial]
        for leftover in leftovers:
            if leftover.exists():
                shutil.rmtree(leftover)
        new_parents = [parent for parent in partial.parents if not parent.exists()]
        partial.mkdir(parents=True, exist_ok=True)
        try:
            (partial / BEGUN_NAME).write_text(json.dumps(self.inputs), encoding="utf-8")
            result = self.build(partial)
            _remove_temporary_files(partial)
            metadata = {"inputs": self.inputs, "result": result}
            text = json.dumps(metadata, indent=1, ensure_ascii=False) + "\n"
            (partial / METADATA_NAME).write_text(text, encoding="utf-8")
        except BaseException:
            if not _has_finished_jobs(partial):
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

    def _is_complete(self, partial: Path) -> bool:
        """Return whether `partial` was finished by this stage, with these inputs."""
        try:
            metadata = json.loads((partial / METADATA_NAME).read_text(encoding="utf-8"))
            return metadata["inputs"] == _as_json(self.inputs)
        except (OSError, ValueError, KeyError):
            return False

    def _can_resume(self, partial: Path) -> bool:
        """Return whether `partial` has jobs that this stage finished with these inputs."""
        try:
            begun = json.loads((partial / BEGUN_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return begun == _as_json(self.inputs) and _has_finished_jobs(partial)


def _has_finished_jobs(folder: Path) -> bool:
    journal = folder / JOURNAL_NAME
    return journal.is_file() and journal.stat().st_size > 0


def _remove_temporary_files(folder: Path) -> None:
    """Remove what only an unfinished folder has, and a killed run's hidden and .partial files."""
    temporary = [folder / BEGUN_NAME, folder / JOURNAL_NAME]
    for path in [*temporary, *folder.rglob("*.partial"), *folder.rglob(".*")]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)  # it may have been in one that is gone
        else:
            path.unlink(missing_ok=True)


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))
