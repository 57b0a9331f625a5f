"""Runs on this machine, by `kfp.local`; as plain processes unless a runner says otherwise."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from components.common import storage
from components.common.errors import PawpetalError
from components.common.home import VARIABLE, home
from components.common.progress import MARK
from components.train.devices import check_device_here
from pipelines.code_version import code_version
from pipelines.runs import CANCELLED, FAILED, PAGES, SUCCEEDED, RunFolder, Step
from pipelines.specs import PLAIN, spec_path
from pipelines.targets import Event, StepEnded, StepProgress, StepStarted
from pipelines.targets.record import (
    add_best,
    add_findings,
    add_model,
    add_scores,
    begin,
    last_error,
    next_step,
    skip_waiting_steps,
)

# glibc gives large blocks back to the system as soon as they are free, and networks ask for them
# again at each step: a third of the time of training went into page faults.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),  # the most that glibc takes
    "MALLOC_TOP_PAD_": str(64 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
}

_COLOR = re.compile(r"\x1b\[\d+m")
# What kfp 2.17 prints; pyproject.toml holds it to that release, and tests run the real one.
_STARTED = re.compile(r"^\S+ - INFO - Executing task '(?P<step>[\w-]+)'$")
_ENDED = re.compile(r"^\S+ - \w+ - Task '(?P<step>[\w-]+)' finished with status (?P<status>\w+)$")
_CACHED = re.compile(r"^Task (?P<step>[\w-]+) cache hit")
_INDENT = "    "  # of what a step prints itself


class Runner(Protocol):
    """How kfp's local runner runs a step."""

    name: str  # of the target

    def prepare(self, pipeline: str, folder: Path) -> tuple[Path, dict[str, Any]]:
        """Say what to run.

        Args:
            pipeline: Name of the pipeline.
            folder: Of the run.

        Returns:
            Path of the spec, and the arguments of kfp's DockerRunner (empty: plain processes).
        """

    def stop(self, run_id: str) -> None:
        """End what may be left of a run whose processes have ended."""


class Processes:
    """Each step a process of this machine."""

    name = "local"

    def prepare(self, pipeline: str, folder: Path) -> tuple[Path, dict[str, Any]]:  # noqa: ARG002  # no image to choose
        """Take the committed spec: images play no part."""
        return spec_path(pipeline, PLAIN), {}

    def stop(self, run_id: str) -> None:
        """Nothing: the step is of the runner's process group, which was ended."""


class LocalTarget:
    """This machine, without containers."""

    runs_here: ClassVar[bool] = True

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Refuse a device that is not here."""
        check_device_here(arguments["device"], arguments["num_replicas"])

    def usual_storage(self) -> str:
        """The home of pawpetal."""
        return str(home())

    def usual_registry(self) -> str:
        """The one of this machine."""
        return ""

    def code_version(self) -> str:
        """Of the code here, which is what runs."""
        return code_version()

    def start(
        self,
        pipeline: str,
        arguments: Mapping[str, Any],
        *,
        use_cache: bool = True,
        run_id: str = "",
    ) -> LocalRun:
        """Prepare a run."""
        return LocalRun(pipeline, arguments, use_cache=use_cache, run_id=run_id)


class LocalRun:
    """One run of a pipeline on this machine."""

    def __init__(
        self,
        pipeline: str,
        arguments: Mapping[str, Any],
        *,
        use_cache: bool = True,
        runner: Runner | None = None,
        run_id: str = "",
    ) -> None:
        """Prepare the run's folder and record.

        Args:
            pipeline: Name of the pipeline, e.g. "train_and_push".
            arguments: Value of each of its inputs.
            use_cache: Take a step's outputs from an earlier run with the same inputs and code;
                without it every step runs, and what it gives replaces what the cache had.
            runner: How steps run; None: as processes.
            run_id: Name of the run; empty for one of the pipeline and the time.
        """
        self._runner = runner or Processes()
        self._folder = RunFolder.create(pipeline, run_id)
        self._arguments = dict(arguments)
        self._cache = home() / "cache" if use_cache else self._folder.path / "cache"
        self._logs = self._folder.path / "logs"
        self._logs.mkdir()
        self._outputs = self._folder.path / "steps"
        self._outputs.mkdir()  # here, since an engine that finds no folder makes one that is root's
        self.run = begin(self._folder, pipeline, self._runner.name, arguments)

    def follow(self) -> Generator[Event, None, None]:
        """Run it to its end; `run` then holds how it went.

        Yields:
            What happens, as it happens.
        """
        start = time.monotonic()
        process = self._start()
        try:
            for event in self._read(process):
                if isinstance(event, StepEnded) and not event.step.cached:
                    self._mirror()
                yield event
            ended_well = process.wait() == 0
            self._keep_data_report()
            if ended_well:
                self._summarise()
                self.run.status = SUCCEEDED
            else:
                self.run.status = FAILED
                self._explain()
        except (KeyboardInterrupt, GeneratorExit):
            self.run.status = CANCELLED
            raise
        except Exception as error:
            self.run.status = FAILED
            self.run.error = {"step": "summary", "message": str(error), "log": self._kfp_log()}
            raise
        finally:
            _stop(process)
            self._runner.stop(self.run.run_id)
            self._keep_cache()
            for step in self.run.steps:
                if step.status == "running":
                    step.status = self.run.status
            self.run.seconds = round(time.monotonic() - start, 1)
            self._folder.save(self.run)
            self._mirror()

    def _start(self) -> subprocess.Popen[str]:
        spec, containers = self._runner.prepare(self.run.pipeline, self._folder.path)
        job = {
            "run_id": self.run.run_id,
            "spec": str(spec),
            "containers": containers,
            "arguments": self._arguments,
            "pipeline_root": str(self._outputs),
            "cache_root": str(self._cache),
            "outputs": str(self._folder.path / "outputs.json"),
        }
        environment = {
            **ALLOCATOR,
            **os.environ,
            VARIABLE: str(home()),
            "PYTHONUNBUFFERED": "1",
        }
        return subprocess.Popen(  # noqa: S603  # our own module, no shell
            [sys.executable, "-m", "pipelines.targets.kfp_process", json.dumps(job)],
            stdin=subprocess.PIPE,  # never written to: it closes when this process dies
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,  # so that it and its steps can be ended together
        )

    def _read(self, process: subprocess.Popen[str]) -> Iterator[Event]:
        current: Step | None = None
        started = 0.0
        with Path(self._kfp_log()).open("w") as everything:
            for raw in process.stdout or ():
                line = _COLOR.sub("", raw.rstrip("\n"))
                everything.write(f"{line}\n")
                everything.flush()
                if match := _CACHED.match(line):
                    step = next_step(self.run, match["step"])
                    step.status, step.cached = SUCCEEDED, True
                    yield StepEnded(step=step)
                elif match := _STARTED.match(line):
                    current, started = next_step(self.run, match["step"]), time.monotonic()
                    current.status, current.log = "running", str(self._log(current))
                    self._folder.save(self.run)
                    yield StepStarted(step=current)
                elif current and (match := _ENDED.match(line)):
                    current.status = SUCCEEDED if match["status"] == "SUCCESS" else FAILED
                    current.seconds = round(time.monotonic() - started, 1)
                    self._folder.save(self.run)
                    yield StepEnded(step=current)
                    current = None
                elif current and line.startswith(_INDENT):
                    text = line.removeprefix(_INDENT)
                    with self._log(current).open("a") as log:
                        log.write(f"{text}\n")
                    if text.startswith(MARK):
                        yield StepProgress(step=current, line=text.removeprefix(MARK))

    def _log(self, step: Step) -> Path:
        return self._logs / f"{step.name}.log"

    def _kfp_log(self) -> str:
        return str(self._folder.path / "kfp.log")

    def _keep_cache(self) -> None:
        """Move what a run without the cache has made into the cache; whatever was there, goes."""
        kept = home() / "cache"
        if self._cache == kept or not self._cache.is_dir():
            return
        kept.mkdir(parents=True, exist_ok=True)
        for entry in self._cache.glob("*.json"):
            entry.replace(kept / entry.name)

    def _mirror(self) -> None:
        """Copy what the run has left so far to its storage, where that is in the cloud."""
        root = self._arguments["storage"]
        if not storage.is_remote(root):
            return
        place = storage.join(root, f"runs/{self.run.run_id}")
        try:
            storage.upload_folder(self._folder.path, place)
            self.run.warning = None
        except PawpetalError as error:  # the steps go on; the next call tries again
            self.run.warning = f"'{place}' lacks some of what the run left: {error}"
            self._folder.save(self.run)

    def _keep_data_report(self) -> None:
        """Bring what was found in the photos into sight, also where that ended the run."""
        pages = sorted(self._outputs.rglob("ingest*/data_report"), key=lambda p: p.stat().st_mtime)
        for number, page in enumerate(pages, 1):
            self._keep_page("data_report", page, number)
        if pages:
            self._keep_findings([page.with_name("findings") for page in pages])

    def _keep_findings(self, files: Sequence[Path]) -> None:
        for number, file in enumerate(files, 1):
            shutil.copyfile(file, self._folder.path / _numbered("data_report.json", number))
        add_findings(self.run, [json.loads(file.read_text()) for file in files])

    def _keep_page(self, name: str, page: Path, number: int = 1) -> None:
        # The pages have no suffix where kfp puts them, and browsers want one.
        kept = self._folder.path / _numbered(f"{name}.html", number)
        shutil.copyfile(page, kept)
        if number == 1:
            setattr(self.run, name, str(kept))

    def _summarise(self) -> None:
        """Gather what the steps left: scores, the gate's verdict, the version, the pages."""
        outputs = json.loads((self._folder.path / "outputs.json").read_text())
        add_scores(self.run, json.loads(Path(outputs["evaluation"], "evaluation.json").read_text()))
        for name in PAGES:
            if name in outputs:
                self._keep_page(name, Path(outputs[name]))
        if "ranking" in outputs:
            ranking = json.loads(Path(outputs["ranking"], "ranking.json").read_text())
            add_best(self.run, ranking["candidates"][0], len(ranking["candidates"]))
        if self.run.findings is None and "findings" in outputs:  # ingest was in the cache
            self._keep_findings([Path(outputs["findings"])])
        for path in self._outputs.glob("*/push/pushed/pushed.json"):
            add_model(self.run, json.loads(path.read_text()))
        skip_waiting_steps(self.run)

    def _explain(self) -> None:
        """Say which step failed, why, and where to read more."""
        failed = next((step for step in self.run.steps if step.status in (FAILED, "running")), None)
        log = failed.log if failed else self._kfp_log()
        self.run.error = {
            "step": failed.name if failed else "start",
            "message": _last_error(Path(log)),
            "log": log,
        }


def _numbered(name: str, number: int) -> str:
    """A file's name; with its number from the second on."""
    path = Path(name)
    return name if number == 1 else f"{path.stem}-{number}{path.suffix}"


def _last_error(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    return last_error(lines) or (
        "its process ended without a word: killed, perhaps for want of memory"
    )


def _stop(process: subprocess.Popen[str]) -> None:
    """End the process and whatever step it runs; nothing to do where it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
