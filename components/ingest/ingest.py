"""Photos from anywhere into one dataset: checked, reported on, bytes unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from components.common.dataset import add_version, describe, publish, read_index, refer
from components.common.errors import DataError, InputError
from components.common.index import PhotoIndex, concatenate
from components.common.manifest import FORMAT, Manifest
from components.common.progress import Meter
from components.ingest import verdict
from components.ingest.chunks import Chunk, Outcome, ingest_chunk, plan
from components.ingest.data_policy import OFF, WARN, check_policy
from components.ingest.data_report import DataReport
from components.ingest.pictures import Pictures
from components.ingest.sources import Source, open_source
from components.ingest.statistics import build_report
from components.ingest.versions import Version, as_version, version_before
from components.ingest.workspace import Workspace, workspace_key


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be ingested, and how; the same for every worker."""

    dataset: str  # URI of the photos, as `open_source` takes it
    data_dir: str = ""  # where TensorFlow Datasets keeps its data; for tfds: only
    # Storage root, local or gs://: the dataset is kept there by its content, a killed ingest goes
    # on, and photos that are there already are not written again. Empty: in the step's folder.
    root: str = ""
    policy: str = WARN  # what stops it, one of `POLICIES`
    code_version: str = ""  # another version of the code looks at all photos anew

    def __post_init__(self) -> None:
        """Refuse a policy that there is not."""
        check_policy(self.policy)

    @property
    def decode(self) -> bool:
        """Whether every pixel is looked at."""
        return self.policy != OFF


def ingest_photos(order: Order, folder: Path, *, page: Path, data: Path) -> Manifest:
    """Copy the photos of a source into shards with an index and a manifest.

    Args:
        order: What and how.
        folder: Where the manifest is written and, without a storage root, the dataset.
        page: Where the page of what was found is written.
        data: Where the same is written as JSON.

    Returns:
        The manifest, which lists each rejected file with the reason.

    Raises:
        InputError: If there is no such source, or it has fewer than 2 classes.
        DataError: If no photo of some class can be used, or the policy forbids what was found.
    """
    source = open_source(order.dataset, order.data_dir)
    workspace = _workspace(source, order)
    with workspace.alone() if workspace else nullcontext():
        kept = workspace.find_finished() if workspace else None
        if kept:
            print(f"these photos are in '{kept.location}' already: nothing to read")
            return _report_again(order, kept, folder, page, data)
        shards = workspace.shards if workspace else str(folder)
        work = _work(source, plan(source), order, workspace, shards)
        manifest, index = _assemble(source, order, list(work))
        manifest, index, before = as_version(manifest, index, order.root)
        pictures = Pictures.of_dataset(shards, manifest.shards, index)
        _report(manifest, index, order, before, pictures, page, data)
        if not workspace:
            return publish(manifest, index, folder)
        manifest = workspace.settle(manifest, index, folder)
        add_version(order.root, manifest)
        workspace.finish(manifest)
        return manifest


def ingest_share(order: Order, *, worker: int, num_workers: int) -> int:
    """Do one worker's share of an ingest ahead of it; `ingest_photos` then finds it done.

    Args:
        order: What and how; with a storage root, where the workers leave their shards.
        worker: Counts from 0.
        num_workers: How many there are.

    Returns:
        The photos of the share; 0 where the whole was ingested before.
    """
    source = open_source(order.dataset, order.data_dir)
    workspace = _workspace(source, order)
    if workspace is None:
        raise InputError("`storage` must name a place that all workers reach. Received: ''")
    if workspace.find_finished():
        return 0
    share = plan(source)[worker::num_workers]
    return sum(len(one.index) for one in _work(source, share, order, workspace, workspace.shards))


def check_dataset(
    uri: str,
    *,
    data_dir: str = "",
    previous: str = "",
    policy: str = WARN,
    page: Path | None = None,
) -> DataReport:
    """Look at photos where they are; nothing is copied, and no policy stops it.

    Args:
        uri: Of the photos, as `open_source` takes it.
        data_dir: Where TensorFlow Datasets keeps its data; for `tfds:` only.
        previous: URI of an ingested dataset to compare with, local or gs://.
        policy: Recorded, for `verdict.stops`.
        page: Where the page is written, with the same as JSON beside it; None for neither.
    """
    order = Order(dataset=uri, data_dir=data_dir, policy=policy)
    before = (Manifest.load(previous), read_index(previous)) if previous else None
    source = open_source(uri, data_dir)
    outcomes = list(_work(source, plan(source), order, None, None))
    manifest, index = _assemble(source, order, outcomes)
    found = _find(manifest, index, order, before)
    if page:
        verdict.write(found, Pictures.of_source(source, index), page, page.with_suffix(".json"))
    return found


def _workspace(source: Source, order: Order) -> Workspace | None:
    if not order.root:
        return None
    depth = "decoded" if order.decode else "headers"
    key = workspace_key(str(FORMAT), source.fingerprint(), depth, order.code_version)
    return Workspace(root=order.root, name=source.name, key=key)


def _work(
    source: Source,
    chunks: Sequence[Chunk],
    order: Order,
    workspace: Workspace | None,
    folder: str | None,
) -> Iterator[Outcome]:
    """Do what is not done yet of some chunks, in their order."""
    meter = Meter("checked" if order.decode else "read", sum(map(len, chunks)))
    done = 0
    for chunk in chunks:
        outcome = workspace.load(chunk) if workspace else None
        if outcome is None:
            outcome = ingest_chunk(
                source, chunk, folder, decode=order.decode, meter=meter, done=done
            )
            if workspace:
                workspace.save(chunk, outcome)
        else:
            meter.show(done + len(chunk))
        done += len(chunk)
        yield outcome


def _assemble(
    source: Source, order: Order, outcomes: Sequence[Outcome]
) -> tuple[Manifest, PhotoIndex]:
    """Join what came of the chunks."""
    rejected = [*source.skipped, *(one for outcome in outcomes for one in outcome.rejected)]
    filled = [outcome.index for outcome in outcomes if len(outcome.index)]
    index = concatenate(filled) if filled else outcomes[0].index
    if not len(index):
        why = f" ({rejected[0].file}: {rejected[0].reason})" if rejected else ""
        raise DataError(f"'{order.dataset}' has no photo that can be used{why}.")
    shards = [outcome.shard for outcome in outcomes if outcome.shard]
    manifest = describe(index, shards, name=source.name, source=order.dataset, rejected=rejected)
    return replace(manifest, checked=order.decode), index


def _report_again(order: Order, kept: Manifest, folder: Path, page: Path, data: Path) -> Manifest:
    """Report on a dataset that is kept already, and refer to it."""
    index = read_index(kept.location)
    pictures = Pictures.of_dataset(kept.location, kept.shards, index)
    _report(kept, index, order, version_before(order.root, kept), pictures, page, data)
    # The same photos may have been ingested under another URI; this run's is what it asked for.
    return refer(replace(kept, source=order.dataset), kept, folder)


def _report(
    manifest: Manifest,
    index: PhotoIndex,
    order: Order,
    before: Version | None,
    pictures: Pictures,
    page: Path,
    data: Path,
) -> None:
    found = _find(manifest, index, order, before)
    verdict.tell(found)
    verdict.write(found, pictures, page, data)
    verdict.enforce(found)


def _find(
    manifest: Manifest, index: PhotoIndex, order: Order, before: Version | None
) -> DataReport:
    return build_report(
        index,
        name=manifest.name,
        source=order.dataset,
        digest=manifest.digest,
        size_bytes=manifest.size_bytes,
        rejected=[(one.file, one.reason) for one in manifest.rejected],
        previous=(before[0].digest, before[1]) if before else None,
        policy=order.policy,
    )
