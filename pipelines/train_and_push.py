"""The pipeline: photos in, a judged and registered model out."""

from collections.abc import Callable
from typing import NamedTuple

from kfp import dsl
from kfp.dsl.graph_component import GraphComponent
from kfp.dsl.pipeline_task import PipelineTask

from components.augment.component import augment
from components.evaluate.component import evaluate
from components.ingest.component import ingest, ingest_share
from components.push.component import push
from components.split.component import split
from components.train.component import train

NAME = "train-and-push"


class Outputs(NamedTuple):
    """What every run leaves, whether or not the model passed the gate."""

    accuracy: float
    evaluation: dsl.Artifact
    report: dsl.HTML
    data_report: dsl.HTML
    findings: dsl.Artifact
    preview: dsl.HTML
    model: dsl.Model


def build(
    adapt: Callable[[PipelineTask], object] = lambda task: task, *, num_workers: int = 1
) -> GraphComponent:
    """Build the graph for one target.

    Args:
        adapt: Called with each task, to set what only that target has.
        num_workers: Tasks that share the work of ingest; with more than one the graph has a loop
            before ingest, which then joins the shares.
    """

    @dsl.pipeline(name=NAME)
    def train_and_push(
        dataset: str = "sample:flowers",
        data_dir: str = "",
        data_policy: str = "warn",
        storage: str = "",
        train_fraction: float = 0.7,
        validation_fraction: float = 0.15,
        test_fraction: float = 0.15,
        split_seed: int = 0,
        augmentation: str = "light",
        augmented_copies: int = 0,
        architecture: str = "residual",
        weights: str = "auto",
        image_size: int = 0,
        epochs: int = 0,
        batch_size: int = 32,
        learning_rate: float = 0.0,
        mirror_averaging: bool = True,
        seed: int = 0,
        min_accuracy: float = 0.8,
        model_name: str = "",
        registry: str = "",
        code_version: str = "",
        dataset_fingerprint: str = "",
        weights_fingerprint: str = "",
    ) -> Outputs:
        """Train a classifier on labelled photos, judge it, and register it if it is good enough.

        Args:
            dataset: Where the photos are: sample:flowers, sample:pets, tfds:NAME, folder:PATH,
                archive:PATH or gs://BUCKET/PREFIX; folders hold one folder a class.
            data_dir: Where TensorFlow Datasets keeps its data; for tfds: only.
            data_policy: What in the photos stops the run: warn (only a class without a usable
                photo), strict (whatever may spoil training), or off (as warn, and photos are not
                decoded beforehand).
            storage: Folder that keeps datasets by their content, gs://BUCKET/PREFIX or a path; a
                gs:// one gets all that the run leaves. Empty takes this machine's home, or on a
                cluster its own place for artifacts.
            train_fraction: Share of the photos to learn from.
            validation_fraction: Share of the photos to choose the epoch by.
            test_fraction: Share of the photos to judge by.
            split_seed: Another seed gives another, independent split.
            augmentation: What training may do to its photos: none, light, heavy, color, erasing,
                randaugment, mixup or cutmix.
            augmented_copies: Copies of each training photo that are written for a network that
                starts from weights; 0 makes one on the way.
            architecture: Name of the network: residual (from scratch) or mobilenet_v2 (transfer).
            weights: Where the network starts: none (it is trained whole), or imagenet, a path or
                gs:// URI of a .weights.h5 or .keras file (it is frozen, and only a new head is
                trained), or auto (what is usual for the architecture).
            image_size: Height and width that photos are brought to, pixels; 0 takes what is usual
                for the architecture.
            epochs: Passes over the training photos; 0 takes the usual number.
            batch_size: Photos a step, where the whole network is trained.
            learning_rate: Peak learning rate; 0 takes the usual.
            mirror_averaging: Predict the mean over a photo and its mirror image; a little better,
                twice the work.
            seed: Of weights, order and augmentation.
            min_accuracy: The gate: least accuracy on the test photos for a model to be registered.
            model_name: Name in the registry; empty takes the dataset's.
            registry: Which registry: empty for the one of this machine, or mlflow:TRACKING_URI.
            code_version: Version of the steps' code; part of the cache key. Filled in by pawpetal.
            dataset_fingerprint: Changes when the photos behind the URI change; part of the cache
                key. Filled in by pawpetal.
            weights_fingerprint: Changes when the file of weights changes; part of the cache key.
                Filled in by pawpetal.
        """
        cache_key = {"dataset_fingerprint": dataset_fingerprint, "code_version": code_version}
        order = {
            "dataset": dataset,
            "data_dir": data_dir,
            "data_policy": data_policy,
            "storage": storage,
            **cache_key,
        }
        shares = {}
        if num_workers > 1:
            with dsl.ParallelFor(list(range(num_workers)), name="shares") as worker:
                share = ingest_share(worker=worker, num_workers=num_workers, **order)
                share.set_retry(num_retries=2)
                adapt(share)
            shares = {"shares": dsl.Collected(share.output)}
        ingested = ingest(**order, **shares)
        parts = split(
            photos=ingested.outputs["photos"],
            train_fraction=train_fraction,
            validation_fraction=validation_fraction,
            test_fraction=test_fraction,
            split_seed=split_seed,
            **cache_key,
        )
        augmented = augment(
            train=parts.outputs["train"],
            augmentation=augmentation,
            augmented_copies=augmented_copies,
            architecture=architecture,
            image_size=image_size,
            seed=seed,
            **cache_key,
        )
        trained = train(
            train=parts.outputs["train"],
            validation=parts.outputs["validation"],
            policy=augmented.outputs["policy"],
            copies=augmented.outputs["copies"],
            architecture=architecture,
            weights=weights,
            image_size=image_size,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            mirror_averaging=mirror_averaging,
            seed=seed,
            weights_fingerprint=weights_fingerprint,
            **cache_key,
        )
        evaluated = evaluate(
            model=trained.outputs["model"],
            test=parts.outputs["test"],
            model_name=model_name,
            registry=registry,
            **cache_key,
        )
        for task in (ingested, parts, augmented, trained, evaluated):
            adapt(task)
        with dsl.If(evaluated.outputs["Output"] >= min_accuracy, name="gate"):
            pushed = push(
                model=trained.outputs["model"],
                evaluation=evaluated.outputs["evaluation"],
                registry=registry,
                storage=storage,
                **cache_key,
            )
            # A registry may have been emptied since; push itself finds what is registered already.
            pushed.set_caching_options(enable_caching=False)
            adapt(pushed)
        return Outputs(
            accuracy=evaluated.outputs["Output"],
            evaluation=evaluated.outputs["evaluation"],
            report=evaluated.outputs["report"],
            data_report=ingested.outputs["data_report"],
            findings=ingested.outputs["findings"],
            preview=augmented.outputs["preview"],
            model=trained.outputs["model"],
        )

    return train_and_push
