"""Specs in Artifact Registry: a repository for Kubeflow's pipelines, read by Vertex AI.

Not by kfp's RegistryClient: it waits without end for an answer, asks once, takes no other address
than Google's own (so no double), and knows a refusal only as a stack trace. What it does is two
addresses: uploads and downloads go to REGION-kfp.pkg.dev, tags to the REST API.
"""

from __future__ import annotations

import hashlib
from http import HTTPStatus

from components.common.errors import CloudError, InputError
from components.common.google_cloud import PIPELINES, GoogleCloud, endpoint, location

REPOSITORY = "pawpetal-specs"
API = "artifactregistry"


class SpecsRepository:
    """The specs of one project and region; each is a version, named by a digest."""

    def __init__(self, cloud: GoogleCloud, project: str, region: str) -> None:
        """Prepare to ask; nothing is asked yet."""
        self._cloud = cloud
        self._region = region
        self._path = f"{project}/{REPOSITORY}"
        self._parent = f"{location(project, region)}/repositories/{REPOSITORY}/packages"
        self._project = project

    def url(self, package: str = "", version: str = "") -> str:
        """Address of a spec, as a PipelineJob's `templateUri` has it; or of the repository."""
        host = f"https://{self._region}-kfp.pkg.dev"
        return "/".join(part for part in (host, self._path, package, version) if part)

    def upload(self, package: str, content: bytes) -> str:
        """Upload a spec, unless it is there.

        What is answered to content that is there already, nobody says. So each gets a tag of its
        own content, by which it is found again.

        Args:
            package: Name of the pipeline, as the spec itself has it.
            content: The spec, as YAML.

        Returns:
            Its version, "sha256:...".
        """
        tag = f"content-{hashlib.sha256(content).hexdigest()[:32]}"
        if version := self.version_of(package, tag):
            return version
        try:
            answer = self._cloud.upload(
                PIPELINES, self._path, content, region=self._region, tags=tag
            )
        except CloudError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise self._no_repository() from error
            version = self.version_of(package, tag) if error.status == HTTPStatus.CONFLICT else ""
            if not version:
                raise
            return version
        version = answer.strip().rpartition("/")[2]
        if not version.startswith("sha256:"):
            said = f"{endpoint(PIPELINES, self._region)} answered an upload with '{answer[:100]}'"
            raise CloudError(f"{said}, which names no version.")
        return version

    def download(self, package: str, version: str) -> bytes:
        """A spec.

        Raises:
            InputError: If it is not there any more.
        """
        path = f"{self._path}/{package}/{version}"
        try:
            return self._cloud.download(PIPELINES, path, region=self._region)
        except CloudError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            raise InputError(
                f"{self.url(package, version)} is not there any more; the repository deletes old"
                " specs. Check out the commit that it came from, and deploy that."
            ) from error

    def put_tag(self, package: str, version: str, tag: str) -> None:
        """Let a tag name a version, whatever it named before."""
        body = {"version": f"{self._parent}/{package}/versions/{version}"}
        path = f"{self._parent}/{package}/tags"
        try:
            self._cloud.patch(API, f"{path}/{tag}", body, updateMask="version")
        except CloudError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            try:
                self._cloud.post(API, path, body, tagId=tag)
            except CloudError as refusal:  # made meanwhile, by another one or by a lost try
                if refusal.status != HTTPStatus.CONFLICT:
                    raise
                self._cloud.patch(API, f"{path}/{tag}", body, updateMask="version")

    def tag_url(self, package: str, tag: str) -> str:
        """Address that `put_tag` patches."""
        return f"{endpoint(API)}/v1/{self._parent}/{package}/tags/{tag}?updateMask=version"

    def version_of(self, package: str, tag: str) -> str:
        """The version that a tag names; empty where there is no such tag."""
        try:
            found = self._cloud.get(API, f"{self._parent}/{package}/tags/{tag}")
        except CloudError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return ""
            raise
        return str(found["version"]).rpartition("/")[2]

    def _no_repository(self) -> InputError:
        return InputError(
            f"There is no repository '{REPOSITORY}' in {self._project}, {self._region}:"
            f" gcloud artifacts repositories create {REPOSITORY} --repository-format=kfp"
            f" --location={self._region} --project={self._project}"
        )
