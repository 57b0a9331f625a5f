"""What a run needs besides rights: APIs, a bucket nearby, quota, images, a network."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from components.common import images
from components.common.errors import CloudError
from pipelines.doctor.check import Check, fail, ok, skip
from pipelines.google_cloud.asking import DISABLED, Asking, refused, repository_of
from pipelines.google_cloud.machines import Machine
from pipelines.google_cloud.permissions import APIS

# Countries that a multi-region has; EU is that of the European Union alone.
# Source: https://cloud.google.com/storage/docs/locations
MULTI_REGIONS = {"US": "us-", "EU": "europe-", "ASIA": "asia-"}
NOT_IN_EU = ("europe-west2", "europe-west6")  # London, Zurich
DUAL_REGIONS = {
    "ASIA1": ("asia-northeast1", "asia-northeast2"),
    "EUR4": ("europe-north1", "europe-west4"),
    "EUR5": ("europe-west1", "europe-west2"),
    "EUR7": ("europe-west2", "europe-west3"),
    "EUR8": ("europe-west3", "europe-west6"),
    "NAM4": ("us-central1", "us-east1"),
}

# Names of Vertex AI's quotas, as its refusals quote them ("The following quota metrics exceed quota
# limits: aiplatform.googleapis.com/custom_model_training_nvidia_t4_gpus") and as the table in
# common_util.py of GoogleCloudPlatform/vertex-ai-samples has them. That of v6e is by analogy.
METRIC = "aiplatform.googleapis.com/custom_model_training_"
SPOT = "preemptible_"
GPU_METRICS = {
    "NVIDIA_TESLA_T4": "nvidia_t4_gpus",
    "NVIDIA_TESLA_V100": "nvidia_v100_gpus",
    "NVIDIA_L4": "nvidia_l4_gpus",
    "NVIDIA_TESLA_A100": "nvidia_a100_gpus",
    "NVIDIA_A100_80GB": "nvidia_a100_80gb_gpus",
    "NVIDIA_H100_80GB": "nvidia_h100_gpus",
}
CPU_MACHINES = ("n1-", "e2-")  # whose CPUs have one quota together; other series have their own
UNLIMITED = -1

NETWORK = re.compile(r"projects/(?P<project>[^/]+)/global/networks/(?P<name>[^/]+)")
PEERING = "servicenetworking"  # of the network that Vertex AI's machines stand in


def check_apis(asking: Asking) -> Iterator[Check]:
    """Whether each API is enabled: one line for each that is not."""
    project = asking.place.project
    names = [f"projects/{project}/services/{api}" for api in APIS]
    try:
        answer = asking.cloud.get(
            "serviceusage", f"projects/{project}/services:batchGet", names=names
        )
    except CloudError as error:
        if error.reason == DISABLED:
            yield _disabled("serviceusage.googleapis.com", project)
        else:
            yield refused("APIs", error)
        return
    states = {each["name"].rpartition("/")[2]: each.get("state") for each in answer["services"]}
    missing = [api for api in APIS if states.get(api) != "ENABLED"]
    for api in missing:
        yield _disabled(api, project)
    if not missing:
        yield ok("APIs", f"all {len(APIS)} are enabled")


def check_bucket(asking: Asking) -> Iterator[Check]:
    """Whether the bucket is there, and where the run is."""
    place = asking.place
    try:
        bucket = asking.cloud.get("storage", f"b/{place.bucket}")
    except CloudError as error:
        if error.status == 404:
            said = f"there is no gs://{place.bucket}"
            yield fail("bucket", said, _make_bucket(place.bucket, asking))
        else:
            yield refused("bucket", error)
        return
    location = bucket["location"]
    if _holds(bucket, place.region):
        yield ok("bucket", f"gs://{place.bucket} in {location.lower()}")
        return
    yield fail(
        "bucket",
        f"gs://{place.bucket} is in {location.lower()}, and the run would be in {place.region}",
        f"{_make_bucket(f'{place.bucket}-{place.region}', asking)}"
        f"  # then --bucket {place.bucket}-{place.region}",
    )


def check_quota(asking: Asking, machine: Machine) -> Iterator[Check]:
    """Whether the project may have so much of what trains at once, counted for one training."""
    place = asking.place
    kind, needed, what = _quota(asking, machine)
    if not kind:
        yield skip("quota", f"not known which one counts for {machine.machine_type}")
        return
    metric = f"{METRIC}{SPOT if place.spot else ''}{kind}"
    path = f"projects/{place.project}/services/aiplatform.googleapis.com/consumerQuotaMetrics"
    try:
        # By its name, since a list has hundreds. Cloud Quotas, the newer API, would have to be
        # enabled, and knows it by another name.
        answer = asking.cloud.get("serviceusage.quotas", f"{path}/{quote(metric, safe='')}")
    except CloudError as error:
        missing = error.status == 404
        yield (
            skip("quota", f"Google has none named {metric}") if missing else refused("quota", error)
        )
        return
    limit = _limit(answer, place.region)
    if limit == UNLIMITED or limit >= needed:
        amount = "as many as you like" if limit == UNLIMITED else str(limit)
        yield ok("quota", f"{amount} {what} in {place.region}; one training takes {needed}")
        return
    yield fail(
        "quota",
        f"{limit} {what} in {place.region}, and one training takes {needed} ({metric})",
        f"https://console.cloud.google.com/iam-admin/quotas?project={place.project}"
        f"  # ask for {needed} of that metric in {place.region}",
    )


def check_images(asking: Asking) -> Iterator[Check]:
    """Whether the images of this code are where Vertex AI pulls them."""
    for image in asking.place.images:
        yield _check_image(asking, image)


def check_network(asking: Asking) -> Iterator[Check]:
    """Whether the network is there, and lets Vertex AI in; nothing where none is named."""
    network = asking.place.network
    if not network:
        return
    match = NETWORK.fullmatch(network)
    name = network.rpartition("/")[2]
    if not match or not match["project"].isdigit():
        said = f"'{network}' is not as Vertex AI wants it, with the project's number"
        full = f"projects/{asking.number}/global/networks/{name}"
        yield fail("network", said, f"pass --network {full}")
        return
    project = asking.place.project if match["project"] == asking.number else match["project"]
    try:
        found = asking.cloud.get("compute", f"projects/{project}/global/networks/{name}")
    except CloudError as error:
        if error.status == 404:
            command = f"gcloud compute networks create {name} --project={project}"
            yield fail("network", f"there is no {network}", command)
        else:
            yield refused("network", error)
        return
    yield _peered(asking, network, found)


def _disabled(api: str, project: str) -> Check:
    said = f"{api} is not enabled; it is needed for {APIS[api]}"
    return fail("API", said, f"gcloud services enable {api} --project={project}")


def _make_bucket(name: str, asking: Asking) -> str:
    return (
        f"gcloud storage buckets create gs://{name} --project={asking.place.project}"
        f" --location={asking.place.region} --uniform-bucket-level-access"
        " --public-access-prevention"
    )


def _holds(bucket: Mapping[str, Any], region: str) -> bool:
    """Whether a bucket keeps its objects in a region, perhaps among others."""
    location = bucket["location"]
    chosen = bucket.get("customPlacementConfig", {}).get("dataLocations", [])
    if region.upper() in (location, *chosen) or region in DUAL_REGIONS.get(location, ()):
        return True
    prefix = MULTI_REGIONS.get(location)
    if bucket.get("locationType") != "multi-region" or not prefix:
        return False
    return region.startswith(prefix) and not (location == "EU" and region in NOT_IN_EU)


def _quota(asking: Asking, machine: Machine) -> tuple[str, int, str]:
    """Which quota counts, how much of it is taken, and what of."""
    accelerator = asking.place.accelerator
    if accelerator.image == images.TPU:
        return f"tpu_{accelerator.type}", accelerator.count, f"chips of TPU {accelerator.type}"
    if machine.accelerator_type:
        kind = GPU_METRICS.get(machine.accelerator_type, "")
        return kind, machine.accelerator_count, f"GPUs {accelerator.type}"
    is_counted = machine.machine_type.startswith(CPU_MACHINES)
    return ("cpus" if is_counted else ""), machine.cpus, "CPUs for training"


def _limit(metric: Mapping[str, Any], region: str) -> int:
    """The limit in a region; the one without dimensions where none is of that region."""
    usual = 0
    for limit in metric.get("consumerQuotaLimits", []):
        for bucket in limit.get("quotaBuckets", []):
            value = int(bucket.get("effectiveLimit", 0))  # zeros are left out of JSON
            dimensions = bucket.get("dimensions", {})
            if dimensions.get("region") == region:
                return value
            if not dimensions:
                usual = value
    return usual


def _check_image(asking: Asking, image: str) -> Check:
    short = image.rpartition("/")[2]
    name, _, tag = short.partition(":")
    repository = repository_of(image)
    if repository is None:
        return skip(name, f"only Artifact Registry can be asked, not {image.partition('/')[0]}")
    package = quote(image.partition(f"/{repository.name}/")[2].rpartition(":")[0], safe="")
    try:
        found = asking.cloud.get(
            "artifactregistry", f"{repository.path}/packages/{package}/tags/{tag}"
        )
    except CloudError as error:
        if error.status != 404:
            return refused(name, error)
        return fail(name, f"there is no {image}", _push(name, short, image))
    return ok(name, f"{tag} is {found['version'].rpartition('/')[2][:19]}")


def _push(name: str, short: str, image: str) -> str:
    host = image.partition("/")[0]
    return (
        f"make images IMAGES={name.removeprefix('pawpetal-')} &&"
        f" gcloud auth configure-docker {host} --quiet &&"
        f" docker tag {short} {image} && docker push {image}"
    )


def _peered(asking: Asking, network: str, found: Mapping[str, Any]) -> Check:
    for peering in found.get("peerings", []):
        if PEERING in peering.get("name", "") and peering.get("state") == "ACTIVE":
            return ok("network", f"{network}, peered with Google's services")
    name = network.rpartition("/")[2]
    return fail(
        "network",
        f"{network} is not peered with Google's services",
        f"gcloud services vpc-peerings connect --service=servicenetworking.googleapis.com"
        f" --network={name} --ranges=RANGE --project={asking.place.project}",
    )
