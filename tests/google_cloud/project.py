"""A project of Google Cloud as tests set it up; in order, unless they spoil something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipelines.google_cloud.permissions import DOCTOR
from pipelines.images import tag

# Of Google's predefined roles, the permissions that the project's code asks about
# (https://cloud.google.com/iam/docs/roles-permissions).
ROLES: dict[str, tuple[str, ...]] = {
    "roles/aiplatform.user": (
        "aiplatform.customJobs.cancel",
        "aiplatform.customJobs.create",
        "aiplatform.customJobs.get",
        "aiplatform.customJobs.list",
        "aiplatform.metadataStores.get",
        "aiplatform.models.get",
        "aiplatform.models.list",
        "aiplatform.models.update",
        "aiplatform.models.upload",
        "aiplatform.operations.list",
        "aiplatform.pipelineJobs.cancel",
        "aiplatform.pipelineJobs.create",
        "aiplatform.pipelineJobs.get",
        "aiplatform.pipelineJobs.list",
        "aiplatform.schedules.create",
        "aiplatform.schedules.delete",
        "aiplatform.schedules.get",
        "aiplatform.schedules.list",
        "aiplatform.schedules.update",
        "resourcemanager.projects.get",
    ),
    # Of Terraform's module `accounts`.
    "projects/acme/roles/pawpetalDoctor": tuple(DOCTOR),
    "roles/artifactregistry.reader": (
        "artifactregistry.repositories.downloadArtifacts",
        "artifactregistry.repositories.get",
        "artifactregistry.tags.get",
        "artifactregistry.versions.get",
    ),
    "roles/artifactregistry.writer": (
        "artifactregistry.repositories.downloadArtifacts",
        "artifactregistry.repositories.get",
        "artifactregistry.repositories.uploadArtifacts",
        "artifactregistry.tags.create",
        "artifactregistry.tags.get",
        "artifactregistry.tags.update",
        "artifactregistry.versions.get",
    ),
    "roles/browser": ("resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy"),
    "roles/iam.securityReviewer": (
        "artifactregistry.repositories.getIamPolicy",
        "iam.serviceAccounts.getIamPolicy",
        "resourcemanager.projects.getIamPolicy",
        "storage.buckets.getIamPolicy",
    ),
    "roles/iam.serviceAccountUser": ("iam.serviceAccounts.actAs", "iam.serviceAccounts.get"),
    "roles/iam.serviceAccountViewer": ("iam.serviceAccounts.get",),
    "roles/logging.logWriter": ("logging.logEntries.create",),
    "roles/logging.viewer": ("logging.logEntries.list",),
    "roles/serviceusage.serviceUsageConsumer": (
        "serviceusage.quotas.get",
        "serviceusage.services.get",
        "serviceusage.services.use",
    ),
    "roles/storage.objectCreator": ("storage.objects.create",),
    "roles/storage.objectUser": (
        "storage.objects.create",
        "storage.objects.delete",
        "storage.objects.get",
        "storage.objects.list",
        "storage.objects.update",
    ),
    "roles/storage.objectViewer": ("storage.objects.get", "storage.objects.list"),
}
PROJECT_ID, NUMBER, REGION, BUCKET = "acme", "123456789", "us-central1", "acme-pawpetal"
RUNNER = "pawpetal-runner@acme.iam.gserviceaccount.com"
SUBMITTER = "user:ann@acme.example"
REPOSITORY = f"projects/{PROJECT_ID}/locations/{REGION}/repositories/pawpetal"
SPECS = f"{REPOSITORY}-specs"  # of compiled pipelines
DIGEST = "sha256:" + 64 * "a"
APIS = (
    "aiplatform",
    "artifactregistry",
    "cloudresourcemanager",
    "compute",
    "iam",
    "logging",
    "serviceusage",
    "storage",
)
METRIC = "aiplatform.googleapis.com/custom_model_training_"


@dataclass
class Project:
    """What Google Cloud knows; the names of things with a policy are its keys in `policies`."""

    caller: str = SUBMITTER  # whose permissions count
    state: str = "ACTIVE"
    apis: set[str] = field(default_factory=lambda: {f"{api}.googleapis.com" for api in APIS})
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    buckets: dict[str, dict[str, Any]] = field(default_factory=dict)
    roles: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(ROLES))
    policies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    repositories: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)  # digests
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    quotas: dict[tuple[str, str], int] = field(default_factory=dict)  # by metric, region; -1: all

    def grant(self, on: str, role: str, *members: str, condition: str = "") -> None:
        """Bind a role.

        Args:
            on: "projects/acme", "buckets/B", "accounts/EMAIL" or a repository's full name.
            role: Its name.
            members: Who gets it, e.g. "serviceAccount:EMAIL".
            condition: Under which alone, as an expression of CEL.
        """
        binding: dict[str, Any] = {"role": role, "members": list(members)}
        if condition:
            binding["condition"] = {"title": "limited", "expression": condition}
        self.policies.setdefault(on, []).append(binding)

    def revoke(self, on: str, role: str, member: str) -> None:
        """Take a member out of all bindings of a role."""
        for binding in self.policies.get(on, []):
            if binding["role"] == role and member in binding["members"]:
                binding["members"].remove(member)

    def allowed(self, permissions: Iterable[str], on: str) -> list[str]:
        """Those that the caller has on a thing, by its policy or that of the project."""
        bindings = [*self.policies.get(on, []), *self.policies.get(f"projects/{PROJECT_ID}", [])]
        # Conditions are not evaluated: who has a role only sometimes does not have it here.
        granted = [each for each in bindings if "condition" not in each]
        roles = [each["role"] for each in granted if self.caller in each["members"]]
        held = {permission for role in roles for permission in self.roles[role]}
        return [permission for permission in permissions if permission in held]


def healthy_project() -> Project:
    """Everything that a run needs, granted as narrowly as `infra/terraform` does."""
    project = Project()
    project.accounts[RUNNER] = {
        "name": f"projects/{PROJECT_ID}/serviceAccounts/{RUNNER}",
        "projectId": PROJECT_ID,
        "uniqueId": "104000000000000000001",
        "email": RUNNER,
        "displayName": "Runs pawpetal's steps",
    }
    project.buckets[BUCKET] = bucket(BUCKET)
    images = ("light", "cpu", "gpu", "tpu")
    project.repositories[REPOSITORY] = {f"pawpetal-{name}": {tag(): DIGEST} for name in images}
    project.repositories[SPECS] = {}
    project.networks["default"] = {
        "name": "default",
        "peerings": [{"name": "servicenetworking-googleapis-com", "state": "ACTIVE"}],
    }
    for name in ("cpus", "nvidia_t4_gpus", "nvidia_l4_gpus", "tpu_v5e"):
        project.quotas[METRIC + name, REGION] = 64 if name == "cpus" else 8
    here, runner = f"projects/{PROJECT_ID}", f"serviceAccount:{RUNNER}"
    project.grant(here, "roles/aiplatform.user", runner, SUBMITTER)
    project.grant(here, f"{here}/roles/pawpetalDoctor", SUBMITTER)
    project.grant(here, "roles/logging.viewer", SUBMITTER)
    project.grant(here, "roles/serviceusage.serviceUsageConsumer", SUBMITTER)
    project.grant(f"accounts/{RUNNER}", "roles/iam.serviceAccountUser", runner, SUBMITTER)
    project.grant(f"buckets/{BUCKET}", "roles/storage.objectUser", runner)
    project.grant(f"buckets/{BUCKET}", "roles/storage.objectViewer", SUBMITTER)
    project.grant(REPOSITORY, "roles/artifactregistry.reader", runner, SUBMITTER)
    project.grant(SPECS, "roles/artifactregistry.writer", SUBMITTER)
    return project


def bucket(name: str, location: str = "US-CENTRAL1", kind: str = "region") -> dict[str, Any]:
    """A bucket as Cloud Storage describes it; `kind` is "region", "dual-region", "multi-region"."""
    return {
        "kind": "storage#bucket",
        "name": name,
        "projectNumber": NUMBER,
        "location": location,
        "locationType": kind,
        "storageClass": "STANDARD",
        "versioning": {"enabled": True},
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": True},
            "publicAccessPrevention": "enforced",
        },
    }
