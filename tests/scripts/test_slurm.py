"""scripts/slurm/*.sbatch, run as Slurm runs them; stubs of its commands record their calls."""

import os
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any, Dict, List

import pytest

from deepnet_fairseq.commands import prepare, train

ROOT = Path(__file__).parents[2]
SCRIPTS = {name: ROOT / f"scripts/slurm/{name}.sbatch" for name in ("prepare", "train")}
CONFIG = "configs/cldr/cldr_quickstart.yaml"
JOB = {
    "SLURM_JOB_ID": "41234",
    "SLURM_JOB_NUM_NODES": "1",
    "SLURM_JOB_NODELIST": "node7",
    "SLURM_CPUS_PER_TASK": "12",
}
TWO_MACHINES = {"SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_NODELIST": "node[7-8]"}
LIMIT = 60  # seconds for a job
RECORD = 'printf "%s\\n" "$(basename "$0")" "$@" "" >>"$CALLS"'
STUBS = {
    # Passes signals on, and ends with the training: at the IGNORED + 1st SIGUSR1, or at once.
    "srun": f"""
{RECORD}
echo "$SRUN_CPUS_PER_TASK" >"$CALLS.cpus"
received=0
trap 'received=$((received + 1))' USR1
echo started
while ((received <= ${{IGNORED:--1}})); do /bin/sleep 0.02; done
echo "$received" >"$CALLS.signals"
exit "${{STATUS:-0}}"
""",
    "scontrol": f"""
{RECORD}
if [[ $1 == show ]]; then printf 'node7\\nnode8\\n'; fi
""",
    "sleep": "/bin/sleep 0.05",  # between two signals
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What Slurm needs: stubs/, and spool/ with a copy of each script under another name."""
    for name, text in STUBS.items():
        path = tmp_path / "stubs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{text.strip()}\n")
        path.chmod(0o755)
    for name, script in SCRIPTS.items():
        (tmp_path / "spool" / name).mkdir(parents=True)
        shutil.copy(script, tmp_path / "spool" / name / "slurm_script")
    return tmp_path


def submit(
    folder: Path,
    name: str,
    *arguments: str,
    cwd: Path = ROOT,
    job: Dict[str, str] = JOB,
    **environment: str,
) -> subprocess.Popen:
    """Run a batch script like a job that was submitted in cwd."""
    outside = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
    stubs = {"PATH": f"{folder / 'stubs'}:{os.environ['PATH']}", "CALLS": str(folder / "calls")}
    return subprocess.Popen(
        [folder / "spool" / name / "slurm_script", *arguments],
        cwd=cwd,
        env={**outside, **stubs, **job, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(job: subprocess.Popen) -> str:
    """Wait for a job's end; return its stderr."""
    _, error = job.communicate(timeout=LIMIT)
    return error


def calls(folder: Path) -> List[List[str]]:
    path = folder / "calls"
    return (
        [call.split("\n") for call in path.read_text().removesuffix("\n\n").split("\n\n")]
        if path.exists()
        else []
    )


def wait_for_start(job: subprocess.Popen) -> None:
    timer = threading.Timer(LIMIT, job.kill)
    timer.start()
    assert job.stdout.readline() == "started\n"
    timer.cancel()


def test_a_training_on_one_machine_is_one_call_of_train_sh(folder: Path) -> None:
    job = submit(folder, "train", CONFIG, "--max-update", "3", "--adam-betas", "(0.9, 0.98)")
    assert (finish(job), job.returncode) == ("", 0)
    words = [
        "srun",
        "--kill-on-bad-exit=1",
        "scripts/train.sh",
        CONFIG,
        "--max-update",
        "3",
        "--adam-betas",
        "(0.9, 0.98)",
    ]
    assert calls(folder) == [words]
    assert (folder / "calls.cpus").read_text() == "12\n"


def test_a_training_on_several_machines_is_a_call_on_each_that_names_the_first(
    folder: Path,
) -> None:
    job = submit(folder, "train", CONFIG, "--max-update", "3", **TWO_MACHINES)
    assert (finish(job), job.returncode) == ("", 0)
    hosts, training = calls(folder)
    assert hosts == ["scontrol", "show", "hostnames", "node[7-8]"]
    assert training[2:] == [
        "scripts/train.sh",
        CONFIG,
        "--nodes",
        "2",
        "--master",
        "node7:21234",
        "--max-update",
        "3",
    ]
    options, flags = train.make_parser().parse_known_args(training[3:])
    assert (options.nodes, options.master, flags) == (2, "node7:21234", ["--max-update", "3"])


def test_a_job_takes_the_old_path_of_a_config(folder: Path) -> None:
    job = submit(folder, "train", OLD_CONFIG)
    assert (finish(job), job.returncode) == ("", 0)
    assert calls(folder) == [["srun", "--kill-on-bad-exit=1", "scripts/train.sh", OLD_CONFIG]]


@pytest.mark.parametrize("ignored", ["0", "2"], ids=["listening", "not listening yet"])
def test_a_job_that_is_told_to_stop_goes_back_into_the_queue_once_its_training_has_stopped(
    folder: Path, ignored: str
) -> None:
    job = submit(folder, "train", CONFIG, IGNORED=ignored)
    wait_for_start(job)
    job.send_signal(signal.SIGUSR1)
    assert finish(job) == "train.sbatch: stopped with a checkpoint; back into the queue\n"
    assert job.returncode == 0
    assert int((folder / "calls.signals").read_text()) == int(ignored) + 1
    assert calls(folder)[1:] == [["scontrol", "requeue", "41234"]]


def test_a_job_that_is_told_twice_goes_back_once(folder: Path) -> None:
    job = submit(folder, "train", CONFIG, IGNORED="3")
    wait_for_start(job)
    for _ in range(2):
        job.send_signal(signal.SIGUSR1)
    finish(job)
    assert job.returncode == 0
    assert calls(folder)[1:] == [["scontrol", "requeue", "41234"]]


@pytest.mark.parametrize("stopped", [False, True], ids=["by itself", "when told to stop"])
def test_a_training_that_fails_fails_the_job(folder: Path, stopped: bool) -> None:
    job = submit(folder, "train", CONFIG, STATUS="3", IGNORED="0" if stopped else "-1")
    wait_for_start(job)
    if stopped:
        job.send_signal(signal.SIGUSR1)
    assert finish(job) == "train.sbatch: training failed with status 3\n"
    assert job.returncode == 1
    assert [call[0] for call in calls(folder)] == ["srun"]


def test_prepare_sh_gets_the_jobs_processors(folder: Path) -> None:
    project = folder / "project"
    (project / "scripts").mkdir(parents=True)
    (project / "mine.yaml").touch()
    shutil.copy(folder / "stubs/scontrol", project / "scripts/prepare.sh")
    job = submit(folder, "prepare", "mine.yaml", "--source-dir", "a b", cwd=project)
    assert (finish(job), job.returncode) == ("", 0)
    assert calls(folder) == [["prepare.sh", "mine.yaml", "--workers", "12", "--source-dir", "a b"]]
    assert prepare.make_parser().parse_args(calls(folder)[0][1:]).workers == 12


FAILURES: List[Any] = [
    ("outside Slurm", {"job": {}}, [CONFIG], 1, "not a Slurm job; submit it with sbatch"),
    (
        "from elsewhere",
        {"cwd": ROOT / "tests"},
        [CONFIG],
        1,
        "no scripts/NAME.sh here; submit the job from the project's root",
    ),
    ("without such a config", {}, ["absent.yaml"], 1, "absent.yaml: no such config"),
    (
        "without arguments",
        {},
        [],
        2,
        "usage: sbatch [sbatch options] scripts/slurm/NAME.sbatch CONFIG",
    ),
    (
        "with a flag first",
        {},
        ["--workers", "3"],
        2,
        "usage: sbatch [sbatch options] scripts/slurm/NAME.sbatch CONFIG",
    ),
]
OLD_CONFIG = "configs/cldr_quickstart.yaml"  # before configs had a folder per corpus


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize(
    ("options", "arguments", "status", "message"),
    [f[1:] for f in FAILURES],
    ids=[f[0] for f in FAILURES],
)
def test_a_wrong_call_is_reported_before_any_work(
    folder: Path,
    name: str,
    options: Dict[str, Any],
    arguments: List[str],
    status: int,
    message: str,
) -> None:
    job = submit(folder, name, *arguments, **options)
    error = finish(job)
    assert job.returncode == status
    assert message.replace("NAME", name) in error
    assert status == 2 or error.count("\n") == 1
    assert calls(folder) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_is_the_header_without_sbatchs_directives(name: str) -> None:
    result = subprocess.run([SCRIPTS[name], "--help"], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"usage: sbatch [sbatch options] scripts/slurm/{name}.sbatch CONFIG" in result.stdout
    assert "#" not in result.stdout and "set -euo" not in result.stdout


DIRECTIVES = {
    "prepare": {"--nodes=1", "--ntasks=1", "--requeue", "--open-mode=append"},
    # B: the batch script alone gets the signal; else srun's processes would, before it knows
    "train": {"--ntasks-per-node=1", "--requeue", "--open-mode=append", "--signal=B:USR1@300"},
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_sbatch_reads_the_directives_which_stand_before_any_command(name: str) -> None:
    head = re.split(r"^[^#\n]", SCRIPTS[name].read_text(), maxsplit=1, flags=re.MULTILINE)[0]
    directives = re.findall(r"^#SBATCH (\S+)$", head, re.MULTILINE)
    assert DIRECTIVES[name] <= set(directives)
    assert len(directives) == SCRIPTS[name].read_text().count("#SBATCH -")
