"""Runs on this machine with each step in its container, by `kfp.local`'s DockerRunner."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from components.common import images, storage
from components.common.errors import InputError
from components.common.home import VARIABLE, home
from components.common.registry import SQLITE
from pipelines.accelerators import NONE, Accelerator
from pipelines.images import reference, tag
from pipelines.runs import RUNNING, find_run
from pipelines.targets.limits import check_limits
from pipelines.targets.local import LocalRun

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
# The same, naming a file that the steps must find too.
FILES = ("GOOGLE_APPLICATION_CREDENTIALS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
USER_CREDENTIALS = "~/.config/gcloud/application_default_credentials.json"


@dataclass(frozen=True, kw_only=True)
class DockerTarget:
    """This machine, each step in a container that sees only what the run names."""

    cpus: float = 0.0  # of each step, at most; 0: all
    memory: str = ""  # of each step, at most, e.g. "4Gi"; empty: all
    image_registry: str = ""  # images that are missing are pulled from there
    accelerator: Accelerator = NONE
    runs_here: ClassVar[bool] = True
    _ids: dict[str, str] = field(default_factory=dict, init=False)  # by reference of image

    def check(self, arguments: Mapping[str, Any]) -> None:  # noqa: ARG002  # all can work here
        """Refuse where Docker, or an image of this code, is missing."""
        check_limits(self.cpus, self.memory)
        if self.accelerator.image == images.TPU:
            raise InputError("`accelerator` must be none or a GPU with --on docker.")
        client = _connect()
        try:
            for name in {images.LIGHT, images.CPU, self.accelerator.image}:
                self._find_image(client, reference(name, self.image_registry))
            _remove_orphans(client)
        finally:
            client.close()

    def code_version(self) -> str:
        """Of the images, by content: one built again, on another base, is another version."""
        version, _, digest = tag().rpartition("-")
        ids = hashlib.sha256("".join(sorted(self._ids.values())).encode()).hexdigest()
        return f"{version}+{digest}.{ids[:12]}"

    def start(
        self, pipeline: str, arguments: Mapping[str, Any], *, use_cache: bool = True
    ) -> LocalRun:
        """Prepare a run."""
        runner = Containers(self, arguments)
        return LocalRun(pipeline, arguments, use_cache=use_cache, runner=runner)

    def _find_image(self, client: Any, image: str) -> None:
        import docker

        try:
            found = client.images.get(image)
        except docker.errors.ImageNotFound as error:
            if not self.image_registry:
                raise InputError(
                    f"There is no image '{image}', which this code needs. Build it: make images"
                ) from error
            found = _pull(client, image)
        self._ids[image] = str(found.id)


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
        files = dict(_files())
        return spec, {
            "labels": {RUN_LABEL: folder.name, HOME_LABEL: str(home())},
            "user": f"{os.getuid()}:{os.getgid()}",  # so that outputs are the caller's
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "init": True,
            # The addresses that the caller knows, localhost included, mean the same in a step.
            "network_mode": "host",
            "environment": {
                **{name: os.environ[name] for name in VARIABLES if name in os.environ},
                **files,
                VARIABLE: str(home()),
                "HOME": "/tmp",  # noqa: S108  # the caller has no home in the image
            },
            "mounts": list(_mounts(self._arguments, files.values())),
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


def _mounts(arguments: Mapping[str, Any], files: Iterable[str]) -> Iterator[dict[str, Any]]:
    """What steps see of this machine, each under its own path: cached outputs are named by it."""
    yield _mount(str(home()))
    for path in {*_read_paths(arguments), *files}:
        yield _mount(path, read_only=True)
    if arguments["data_dir"] and not storage.is_remote(arguments["data_dir"]):
        Path(arguments["data_dir"]).mkdir(parents=True, exist_ok=True)
        yield _mount(arguments["data_dir"])
    if arguments["registry"].startswith(SQLITE):
        folder = Path(arguments["registry"].removeprefix(SQLITE)).parent
        folder.mkdir(parents=True, exist_ok=True)
        yield _mount(str(folder))


def _read_paths(arguments: Mapping[str, Any]) -> Iterator[str]:
    kind, _, path = arguments["dataset"].partition(":")
    if kind == "folder":
        yield path
        yield from _linked_folders(Path(path))
    if Path(arguments["weights"]).is_file():
        yield arguments["weights"]


def _linked_folders(folder: Path) -> set[str]:
    """Folders elsewhere that links in a folder lead to: of classes, or of single photos."""
    links = (
        Path(parent, name)
        for parent, folders, files in os.walk(folder)
        for name in (*folders, *files)
        if Path(parent, name).is_symlink()
    )
    found = {link.resolve() for link in links}
    return {str(place if place.is_dir() else place.parent) for place in found if place.exists()}


def _files() -> Iterator[tuple[str, str]]:
    """Files of the caller's environment that steps need, by variable."""
    for name in FILES:
        if Path(os.environ.get(name, "")).is_file():
            yield name, os.path.abspath(os.environ[name])  # noqa: PTH100  # as the mount is named
    user = Path(USER_CREDENTIALS).expanduser()
    if "GOOGLE_APPLICATION_CREDENTIALS" not in os.environ and user.is_file():
        yield "GOOGLE_APPLICATION_CREDENTIALS", str(user)


def _mount(path: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"Type": "bind", "Source": path, "Target": path, "ReadOnly": read_only}


def _connect() -> Any:
    try:
        import docker
    except ImportError as error:
        raise InputError("--on docker needs the extra: pip install 'pawpetal[docker]'") from error
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        raise InputError(
            "No Docker engine answers. Start it, and see that `docker info` works; received:"
            f" {' '.join(str(error).split())}"
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

    for container in client.containers.list(all=True, filters={"label": f"{HOME_LABEL}={home()}"}):
        run_id = container.labels[RUN_LABEL]
        if not _is_alive(run_id):
            stop_containers(run_id)


def _is_alive(run_id: str) -> bool:
    try:
        return find_run(run_id).status == RUNNING
    except InputError:  # its folder was deleted
        return False
