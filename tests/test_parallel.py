"""Jobs run alike in this process, in worker processes and through submitit."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest

from deepnet_fairseq.errors import DataError
from deepnet_fairseq.io import count_lines, read_lines
from deepnet_fairseq.parallel import Jobs, RequeueableJob, read_journal


def count_strictly(path: Path) -> int:
    """Lines of a UTF-8 file; any other is a DataError."""
    return len(list(read_lines(path)))


SIZES = (0, 2, 4)
LINES = {f"pair {lines}": lines for lines in SIZES}


@pytest.fixture
def files(tmp_path: Path) -> Dict[str, List[Any]]:
    """Three files of 0, 2 and 4 lines, by name."""
    for lines in SIZES:
        (tmp_path / f"{lines}.txt").write_text("x\n" * lines)
    return {f"pair {lines}": [tmp_path / f"{lines}.txt"] for lines in SIZES}


@pytest.fixture(params=["here", "processes", "submitit"])
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Jobs:
    kinds = {
        "here": Jobs(),
        "processes": Jobs(workers=2),
        "submitit": Jobs(
            cluster="local",
            log_dir=tmp_path / "logs",
            parameters={"timeout_min": 2, "cpus_per_task": 1},
        ),
    }
    return kinds[request.param]


def test_every_way_of_running_gives_the_same_results_in_the_order_asked_for(
    jobs: Jobs, files: Dict[str, List[Any]]
) -> None:
    results = jobs.run(count_lines, files, "count")
    assert list(results.items()) == list(LINES.items())


def test_every_way_names_the_job_that_failed(
    jobs: Jobs, files: Dict[str, List[Any]], tmp_path: Path
) -> None:
    (tmp_path / "4.txt").unlink()
    with pytest.raises(DataError, match="^pair 4: FileNotFoundError: .*4.txt"):
        jobs.run(count_lines, files, "count")


def test_a_data_error_comes_through_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "latin1.txt").write_bytes(b"fine\nM\xfcnchen\n")
    with pytest.raises(DataError, match=r"^\S*latin1\.txt, line 2: not UTF-8"):
        Jobs().run(count_strictly, {"de-en": [tmp_path / "latin1.txt"]}, "count")


@pytest.mark.parametrize("jobs", ["here", "processes"], indirect=True)
def test_finished_jobs_are_not_run_again(
    jobs: Jobs, files: Dict[str, List[Any]], tmp_path: Path
) -> None:
    journal = tmp_path / "finished.jsonl"
    first = dict(list(files.items())[:2])
    jobs.run(count_lines, first, "count", journal)
    for name in first:
        files[name][0].unlink()  # running them again would fail
    assert jobs.run(count_lines, files, "count", journal) == LINES
    assert sorted(read_journal(journal)) == sorted(LINES)


def test_results_are_kept_up_to_the_job_that_failed(
    files: Dict[str, List[Any]], tmp_path: Path
) -> None:
    journal = tmp_path / "finished.jsonl"
    (tmp_path / "4.txt").unlink()
    with pytest.raises(DataError):
        Jobs().run(count_lines, files, "count", journal)
    assert read_journal(journal) == {"pair 0": 0, "pair 2": 2}


def test_a_journal_cut_short_by_a_kill_loses_only_its_last_line(tmp_path: Path) -> None:
    journal = tmp_path / "finished.jsonl"
    whole = json.dumps(["de-en", 3]) + "\n"
    journal.write_text(whole + '["en-fr", 1')
    assert read_journal(journal) == {"de-en": 3}
    assert journal.read_text() == whole
    assert read_journal(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("jobs", "count", "threads"),
    [
        (Jobs(workers=8), 1, 8),
        (Jobs(workers=8), 3, 2),
        (Jobs(workers=2), 99, 1),
        (Jobs(workers=8, cluster="slurm"), 1, 1),
        (Jobs(workers=8, cluster="slurm", parameters={"cpus_per_task": 4}), 99, 4),
    ],
)
def test_a_job_gets_the_threads_that_are_left_over(jobs: Jobs, count: int, threads: int) -> None:
    assert jobs.threads(count) == threads


def write_after_a_while(path: Path) -> str:
    """Say that work has begun, then take a second over it."""
    path.with_suffix(".begun").touch()
    time.sleep(1)
    path.touch()
    return path.name


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from deepnet_fairseq.parallel import Jobs\n"
        "from test_parallel import write_after_a_while\n"
        "if __name__ == '__main__':\n"
        "    files = {str(n): [Path(sys.argv[1]) / f'{n}.done'] for n in range(8)}\n"
        "    Jobs(workers=2).run(write_after_a_while, files, 'write')"
    )
    (tmp_path / "program.py").write_text(code)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{Path(__file__).parents[1]}{os.pathsep}{Path(__file__).parent}",
    }
    parent = subprocess.Popen([sys.executable, tmp_path / "program.py", tmp_path], env=environment)
    while not list(tmp_path.glob("*.begun")) and parent.poll() is None:
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    time.sleep(0.5)  # far less than the jobs that are left would take
    done = len(list(tmp_path.glob("*.done")))
    time.sleep(2)
    assert len(list(tmp_path.glob("*.done"))) == done < 8


def test_a_cluster_that_is_not_there_is_named(
    files: Dict[str, List[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"--cluster slurm: .*srun"):
        Jobs(cluster="slurm", log_dir=tmp_path / "logs").run(count_lines, files, "count")


def test_an_option_that_submitit_does_not_have_is_refused(
    files: Dict[str, List[Any]], tmp_path: Path
) -> None:
    jobs = Jobs(cluster="local", log_dir=tmp_path / "logs", parameters={"coffee_breaks": 3})
    with pytest.raises(DataError, match="--cluster-option: submitit refuses it: .*coffee_breaks"):
        jobs.run(count_lines, files, "count")


def test_a_preempted_job_goes_back_to_the_queue_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("a\nb\n")
    again = RequeueableJob("de-en", count_lines).checkpoint(tmp_path / "two.txt")
    assert again.function(*again.args, **again.kwargs) == {"result": 2}
