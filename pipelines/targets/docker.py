"""Runs on this machine with each step in its container, by `kfp.local`'s DockerRunner."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from components.common import images
from components.common.errors import InputError
from components.common.home import VARIABLE, home
from pipelines.accelerators import NONE, Accelerator, check_device_of
from pipelines.images import names_for, reference, tag
from pipelines.runs import RUNNING, find_run
from pipelines.targets.limits import check_limits
from pipelines.targets.local import LocalRun
from pipelines.targets.mounts import mounts, places

# What steps may need of the caller's environment, where it is set.
VARIABLES = (
    "GOOGLE_CLOUD_PROJECT",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_USERNAME",
    "NO_PROXY",
    "STORAGE_EMULATOR_HOST",
    "https_proxy",
    "http_proxy",
    "no_proxy",
)
LOCAL_ENGINES = ("unix://", "npipe://")  # whose folders are those of this machine


@dataclass(frozen=True, kw_only=True)
class DockerTarget:
    """This machine, each step in a container that sees only what the run names."""

    cpus: float = 0.0  # of each step, at most; 0: all
    memory: str = ""  # of each step, at most, e.g. "4Gi"; empty: all
    image_registry: str = ""  # images that are missing are pulled from there
    accelerator: Accelerator = NONE
    runs_here: ClassVar[bool] = True

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Refuse where Docker, or an image of this code, is missing."""
        check_limits(self.cpus, self.memory)
        if self.accelerator.image == images.TPU:
            raise InputError("`accelerator` must be none or a GPU with --on docker.")
        check_device_of(self.accelerator, arguments)
        mounts(arguments)
        with contextlib.closing(_connect()) as client:
            if self.cpus > client.info()["NCPU"]:
                raise InputError(
                    f"`cpus` must be at most {client.info()['NCPU']}, which Docker has."
                    f" Received: {self.cpus:g}"
                )
            self._find_images(client)
            _remove_orphans(client)

    def usual_storage(self) -> str:
        """The home of pawpetal."""
        return str(home())

    def usual_registry(self) -> str:
        """The one of this machine."""
        return ""

    def code_version(self) -> str:
        """Of the images, by content: one built again, on another base, is another version."""
        version, _, digest = tag().rpartition("-")
        with contextlib.closing(_connect()) as client:
            ids = "".join(self._find_images(client))
        return f"{version}+{digest}.{hashlib.sha256(ids.encode()).hexdigest()[:12]}"

    def start(
        self,
        pipeline: str,
        arguments: Mapping[str, Any],
        *,
        use_cache: bool = True,
        run_id: str = "",
    ) -> LocalRun:
        """Prepare a run."""
        runner = Containers(self, arguments)
        return LocalRun(pipeline, arguments, use_cache=use_cache, runner=runner, run_id=run_id)

    def _find_images(self, client: Any) -> list[str]:
        """Ids of the images that steps run in; those of a registry are pulled."""
        import docker

        ids = []
        for name in names_for(self.accelerator.image):
            image = reference(name, self.image_registry)
            try:
                ids.append(str(client.images.get(image).id))
            except docker.errors.ImageNotFound as error:
                if not self.image_registry:
                    raise InputError(
                        f"There is no image '{image}', which this code needs. Build it: make images"
                    ) from error
                ids.append(str(_pull(client, image).id))
        return ids


class Containers:
    """Each step a container."""

    name = "docker"

    def __init__(self, target: DockerTarget, arguments: Mapping[str, Any]) -> None:
        self._target = target
        self._arguments = arguments

    def prepare(self, pipeline: str, folder: Path) -> tuple[Path, dict[str, Any]]:
        """Compile a spec that names the images of this code; see `Runner.prepare`."""
        from pipelines.compiling import SpecSettings, compile_spec
        from pipelines.specs import PLAIN
        from pipelines.targets.containers import HOME_LABEL, RUN_LABEL

        spec = folder / "spec.yaml"
        settings = SpecSettings(
            image_registry=self._target.image_registry, accelerator=self._target.accelerator
        )
        compile_spec(pipeline, PLAIN, spec, settings)
        seen = mounts(self._arguments)
        for mount in seen:
            if not mount["ReadOnly"]:
                Path(mount["Source"]).mkdir(parents=True, exist_ok=True)
        return spec, {
            "labels": {RUN_LABEL: folder.name, HOME_LABEL: str(home())},
            "user": f"{os.getuid()}:{os.getgid()}",  # so that outputs are the caller's
            "group_add": os.getgroups(),
            "cap_drop": ["ALL"],
            # Root reads and writes what is others', as it does outside.
            "cap_add": ["DAC_OVERRIDE"] if os.getuid() == 0 else [],
            "security_opt": ["no-new-privileges:true"],
            "init": True,
            # The addresses that the caller knows, localhost included, mean the same in a step.
            "network_mode": "host",
            "passed": [name for name in VARIABLES if name in os.environ],  # values may be secret
            "environment": {
                **places(self._arguments),
                VARIABLE: str(home()),
                "HOME": "/tmp",  # noqa: S108  # the caller has no home in the image
            },
            "mounts": seen,
            **self._limits(),
        }

    def stop(self, run_id: str) -> None:
        """Remove the container of the step that ran when the run was ended."""
        from pipelines.targets.containers import stop_containers

        stop_containers(run_id)

    def _limits(self) -> dict[str, Any]:
        limits: dict[str, Any] = {}
        if self._target.cpus:
            limits["nano_cpus"] = round(self._target.cpus * 1e9)
        if self._target.memory:
            amount = self._target.memory.removesuffix("i").lower()
            # No swap beyond it: a step that swaps is as good as dead, and says nothing.
            limits |= {"mem_limit": amount, "memswap_limit": amount}
        if self._target.accelerator.count:
            count = self._target.accelerator.count
            limits["device_requests"] = [{"Count": count, "Capabilities": [["gpu"]]}]
        return limits


def _connect() -> Any:
    try:
        import docker
    except ImportError as error:
        raise InputError("--on docker needs the extra: pip install 'pawpetal[docker]'") from error
    where = os.environ.get("DOCKER_HOST") or LOCAL_ENGINES[0]
    if not where.startswith(LOCAL_ENGINES):
        raise InputError(
            "`DOCKER_HOST` must be an engine of this machine, whose folders steps are to see."
            f" Received: '{where}'"
        )
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        raise InputError(
            "No Docker engine answers. Start it, or name its socket in DOCKER_HOST (docker context"
            f" ls shows it); received: {' '.join(str(error).split())}"
        ) from error
    return client


def _pull(client: Any, image: str) -> Any:
    import docker

    try:
        return client.images.pull(image)
    except docker.errors.APIError as error:
        raise InputError(
            f"The image '{image}' cannot be pulled; is it pushed, and are you logged in there?"
            f" Received: {error.explanation or error}"
        ) from error


def _remove_orphans(client: Any) -> None:
    """Remove containers of runs that were killed so thoroughly that nobody could."""
    from pipelines.targets.containers import HOME_LABEL, RUN_LABEL, stop_containers

    for container in client.containers.list(
        all=True, filters={"label": f"{HOME_LABEL}={home()}"}, ignore_removed=True
    ):
        run_id = container.labels[RUN_LABEL]
        if not _is_alive(run_id):
            stop_containers(run_id)


def _is_alive(run_id: str) -> bool:
    try:
        return find_run(run_id).status == RUNNING
    except InputError:  # its folder was deleted
        return False
