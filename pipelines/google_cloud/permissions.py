"""Who needs which right for which call: the one table that checks, docs and Terraform follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Who = Literal["runner", "caller"]
On = Literal["project", "bucket", "account", "repository"]

RUNNER: Who = "runner"  # the service account that steps and the custom job run as
CALLER: Who = "caller"  # whoever starts a run: a person, CI

# APIs that must be enabled, and what asks them.
APIS = {
    "aiplatform.googleapis.com": "pipelineJobs, customJobs",
    "artifactregistry.googleapis.com": "images",
    "cloudresourcemanager.googleapis.com": "projects.get, projects.getIamPolicy",
    "compute.googleapis.com": "networks.get, and the machines that Vertex AI starts",
    "iam.googleapis.com": "serviceAccounts.get, roles.get",
    "logging.googleapis.com": "what steps print",
    "serviceusage.googleapis.com": "services.batchGet, quotas",
    "storage.googleapis.com": "objects and buckets",
}


@dataclass(frozen=True, kw_only=True)
class Need:
    """One right that a run cannot do without."""

    who: Who
    permission: str
    call: str  # that is refused without it
    role: str  # a predefined role with it, as narrow as there is
    on: On  # what the role is to be bound to; bound to the project it works, too


def _needs(who: Who, on: On, role: str, calls: dict[str, str]) -> tuple[Need, ...]:
    return tuple(
        Need(who=who, permission=permission, call=call, role=role, on=on)
        for permission, call in calls.items()
    )


# Sources: https://cloud.google.com/iam/docs/roles-permissions; the references of the methods; and
# for metadataStores.get, by which a run is recorded as the runner,
# https://cloud.google.com/vertex-ai/docs/tabular-data/tabular-workflows/service-accounts
# Who pulls images is told in two ways: Vertex AI's own agents, says
# https://cloud.google.com/vertex-ai/docs/general/custom-service-account, which can do so in their
# own project; others grant it to the account of the steps, which is asked for here, to be sure.
NEEDS: tuple[Need, ...] = (
    *_needs(
        RUNNER,
        "project",
        "roles/aiplatform.user",
        {
            "aiplatform.customJobs.create": "customJobs.create: the train step starts training",
            "aiplatform.customJobs.get": "customJobs.get: it follows training",
            "aiplatform.customJobs.list": "customJobs.list: it looks for training it began before",
            "aiplatform.customJobs.cancel": "customJobs.cancel: it ends training with itself",
            "aiplatform.metadataStores.get": "metadataStores.get: Vertex AI records the run",
            "aiplatform.models.get": "models.get: steps look for the champion",
            "aiplatform.models.list": "models.listVersions: push looks for the very model",
            "aiplatform.models.update": "models.mergeVersionAliases: push moves champion",
            "aiplatform.models.upload": "models.upload: push makes a version",
            "aiplatform.operations.list": "operations.list: push looks for one it began before",
        },
    ),
    *_needs(
        RUNNER,
        "bucket",
        "roles/storage.objectUser",
        {
            "storage.objects.get": "objects.get: steps read photos, and what others made",
            "storage.objects.list": "objects.list: they look what is there",
            "storage.objects.create": "objects.insert: they write what they make, and checkpoints",
            "storage.objects.delete": "objects.delete: they replace and remove checkpoints",
        },
    ),
    *_needs(
        RUNNER,
        "account",
        "roles/iam.serviceAccountUser",
        {"iam.serviceAccounts.actAs": "customJobs.create: training runs as the runner, too"},
    ),
    *_needs(
        RUNNER,
        "repository",
        "roles/artifactregistry.reader",
        {"artifactregistry.repositories.downloadArtifacts": "the pull of a step's image"},
    ),
    *_needs(
        CALLER,
        "project",
        "roles/aiplatform.user",
        {
            "aiplatform.pipelineJobs.create": "pipelineJobs.create: starts a run",
            "aiplatform.pipelineJobs.get": "pipelineJobs.get: follows it",
            "aiplatform.pipelineJobs.cancel": "pipelineJobs.cancel: ends it, by Ctrl-C",
            "aiplatform.models.get": "models.get: finds the champion, `pawpetal models`",
            "aiplatform.models.list": "models.list: `pawpetal models`",
        },
    ),
    *_needs(
        CALLER,
        "bucket",
        "roles/storage.objectViewer",
        {
            "storage.objects.get": "objects.get: the results of a run",
            "storage.objects.list": "objects.list: the fingerprint of a dataset",
        },
    ),
    *_needs(
        CALLER,
        "account",
        "roles/iam.serviceAccountUser",
        {"iam.serviceAccounts.actAs": "pipelineJobs.create: steps run as the runner"},
    ),
)


# What looking takes, besides roles/serviceusage.serviceUsageConsumer and, for images,
# roles/artifactregistry.reader. Without it checks are skipped; a run goes through all the same.
DOCTOR = {
    "artifactregistry.repositories.getIamPolicy": "repositories.getIamPolicy: the runner's roles",
    "compute.networks.get": "networks.get: is there a network, and peered?",
    "iam.serviceAccounts.get": "serviceAccounts.get: is there a runner?",
    "iam.serviceAccounts.getIamPolicy": "serviceAccounts.getIamPolicy: the runner's roles",
    "resourcemanager.projects.get": "projects.get: is there a project, and what is its number?",
    "resourcemanager.projects.getIamPolicy": "projects.getIamPolicy: the runner's roles",
    "storage.buckets.get": "buckets.get: where is the bucket?",
    "storage.buckets.getIamPolicy": "buckets.getIamPolicy: the runner's roles",
}


def grouped(who: Who) -> dict[tuple[On, str], list[Need]]:
    """What somebody needs, by what the role is bound to and the role, in the table's order."""
    groups: dict[tuple[On, str], list[Need]] = {}
    for need in NEEDS:
        if need.who == who:
            groups.setdefault((need.on, need.role), []).append(need)
    return groups
