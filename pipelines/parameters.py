"""The inputs that pipelines take: one table, from which each graph picks its own.

They are compiled into the specs with types, defaults and descriptions; the command line, the config
file and the UIs read them there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kfp import dsl
from kfp.dsl.graph_component import GraphComponent
from kfp.dsl.pipeline_task import PipelineTask


@dataclass(frozen=True)
class Input:
    """One input: its default says its type, too."""

    default: str | int | float | bool
    help: str


PHOTOS = {
    "dataset": Input(
        "sample:flowers",
        "Where the photos are: sample:flowers, sample:pets, tfds:NAME, folder:PATH, archive:PATH or"
        " gs://BUCKET/PREFIX; folders hold one folder a class.",
    ),
    "data_dir": Input("", "Where TensorFlow Datasets keeps its data; for tfds: only."),
    "data_policy": Input(
        "warn",
        "What in the photos stops the run: warn (only a class without a usable photo), strict"
        " (whatever may spoil training), or off (as warn, and photos are not decoded beforehand).",
    ),
    "storage": Input(
        "",
        "Folder that keeps datasets by their content, gs://BUCKET/PREFIX or a path; a gs:// one"
        " gets all that the run leaves. Empty takes this machine's home, or on a cluster its own"
        " place for artifacts.",
    ),
}
SPLIT = {
    "train_fraction": Input(0.7, "Share of the photos to learn from."),
    "validation_fraction": Input(0.15, "Share of the photos to choose the epoch by."),
    "test_fraction": Input(0.15, "Share of the photos to judge by."),
    "split_seed": Input(0, "Another seed gives another, independent split."),
}
AUGMENTATION = {
    "augmentation": Input(
        "light",
        "What training may do to its photos: none, light, heavy, color, erasing, randaugment, mixup"
        " or cutmix.",
    ),
    "augmented_copies": Input(
        0,
        "Copies of each training photo that are written for a network that starts from weights; 0"
        " makes one on the way.",
    ),
}
NETWORK = {
    "architecture": Input(
        "residual",
        "Name of the network: dense, inception, residual, two_output, transfer:MobileNetV2 and many"
        " more; `pawpetal architectures` lists them.",
    ),
    "weights": Input(
        "auto",
        "Where the network starts: none (it is trained whole), or imagenet, a path or gs:// URI of"
        " a .weights.h5 or .keras file (it is frozen and gets a new head, then its top blocks are"
        " tuned), or auto (what is usual for the architecture).",
    ),
    "warm_start": Input(
        "",
        "An earlier model to go on from, whatever its size, channels, classes or layers: champion,"
        " a version of the registry, or a path or gs:// URI of a model folder. Empty starts anew,"
        " and so does champion where there is none yet: from `weights`.",
    ),
    "image_size": Input(
        0,
        "Height and width that photos are brought to, pixels; 0 takes what is usual for the"
        " architecture.",
    ),
    "channels": Input(3, "What the network sees of a photo: 3 (red, green, blue) or 1 (gray)."),
    "max_memory_gib": Input(
        8.0,
        "Most memory that training the weights may take, GiB; a larger network is refused before"
        " it is built. 0 lifts the bound.",
    ),
}
TRAINING = {
    "epochs": Input(0, "Passes over the training photos; 0 takes the usual number."),
    "batch_size": Input(
        0,
        "Photos a step, all replicas together, where the whole network is trained; 0 takes 32 a"
        " replica.",
    ),
    "learning_rate": Input(0.0, "Peak learning rate; 0 takes the usual."),
    "optimizer": Input("adamw", "What moves the weights: adamw, sgd or rmsprop."),
    "schedule": Input(
        "cosine", "Of the learning rate after its warm-up: cosine (to zero) or constant."
    ),
    "weight_decay": Input(0.02, "What pulls weights to 0, as a share of the learning rate."),
    "patience": Input(
        0, "Epochs without a lower validation loss after which training ends early; 0: never."
    ),
    "ema": Input(
        0.0,
        "Momentum of a moving average of the weights, e.g. 0.99, which is judged and kept instead;"
        " 0 keeps the weights themselves.",
    ),
    "label_smoothing": Input(0.0, "Share of each label that is spread over all classes, e.g. 0.1."),
    "class_weights": Input(
        "none", "none, or balanced: photos of rare classes count more, all classes the same."
    ),
    "precision": Input(
        "auto",
        "Of the computations: float32, mixed_bfloat16 or mixed_float16; auto takes mixed_bfloat16"
        " on TPU, else float32.",
    ),
    "device": Input("auto", "What trains: cpu, gpu or tpu; auto takes what is there."),
    "num_replicas": Input(
        0,
        "Devices that share each batch; 0 takes all chips of a TPU, else one. With device cpu more"
        " than one are simulated.",
    ),
    "fine_tune_epochs": Input(
        -1,
        "Passes that tune the top blocks after the frozen ones; -1 takes the usual number, 0 leaves"
        " the network frozen.",
    ),
    "fine_tune_blocks": Input(0, "How many top blocks are tuned; 0 takes the usual number."),
    "fine_tune_learning_rate": Input(0.0, "Peak learning rate of tuning; 0 takes the usual."),
    "feature_cache": Input(
        True, "Compute what frozen layers give once, and not in every epoch, where that pays."
    ),
    "loss_weighting": Input(
        "uncertainty",
        "How two_output weighs its losses: fixed, scheduled (alpha moves over the epochs), trained"
        " (alpha is a weight of its own) or uncertainty (learned noise of each output).",
    ),
    "alpha": Input(
        0.5, "Share of the class loss in two_output's loss, at first; the place has the rest."
    ),
    "place": Input("box", "What two_output says of the place in the photo: box or mask."),
    "mirror_averaging": Input(
        True,
        "Predict the mean over a photo and its mirror image; a little better, twice the work.",
    ),
    "seed": Input(0, "Of weights, order and augmentation."),
    "checkpoint_seconds": Input(
        60.0,
        "Seconds from one checkpoint to the next; training that was stopped goes on from the last"
        " one. They are kept in `storage`; on a cluster without one, there are none.",
    ),
}
REGISTRY = {
    "min_accuracy": Input(
        0.8, "The gate: least accuracy on the test photos for a model to be registered."
    ),
    "model_name": Input("", "Name in the registry; empty takes the dataset's."),
    "registry": Input(
        "",
        "Which registry: mlflow:TRACKING_URI or vertex:PROJECT/REGION; empty for the usual: of this"
        " machine, or of the project on Vertex AI.",
    ),
}
GAIN = {
    "min_gain": Input(
        0.0,
        "The gate against the champion: by how much the accuracy on the same test photos must be"
        " higher, at least; without a champion it is open.",
    ),
}
SWEEP = {
    "architectures": Input("residual,inception,dense", "Networks to compare, by commas."),
    "augmentations": Input("light", "Augmentations to try with each, by commas."),
    "learning_rates": Input("0", "Peak learning rates to try with each, by commas; 0: the usual."),
    "image_sizes": Input("0", "Image sizes to try with each, pixels, by commas; 0: the usual."),
}
CURRICULUM = {
    "curriculum": Input(
        "sample:flowers",
        "Datasets from easy to hard, by commas; round k trains on the first k of them, and goes on"
        " from the model of the round before.",
    ),
}
# Parts of the cache key that no file or setting of a step shows.
FILLED_IN = {
    "code_version": Input(
        "", "Version of the steps' code; part of the cache key. Filled in by pawpetal."
    ),
    "dataset_fingerprint": Input(
        "",
        "Changes when the photos behind the URI change; part of the cache key. Filled in by"
        " pawpetal.",
    ),
    "weights_fingerprint": Input(
        "",
        "Changes when the file of weights or the model to go on from changes; part of the cache"
        " key. Filled in by pawpetal.",
    ),
}

Adapt = Callable[[PipelineTask], object]


class Steps:
    """Makes the tasks of one graph; what a step shares with the pipeline, it gets by name."""

    def __init__(self, inputs: Mapping[str, Any], adapt: Adapt) -> None:
        self._inputs = inputs
        self._adapt = adapt

    def __getitem__(self, name: str) -> Any:
        """An input of the pipeline."""
        return self._inputs[name]

    def __call__(self, component: Any, **given: Any) -> PipelineTask:
        """Add a task.

        Args:
            component: The step; those of its inputs that are not given come from the pipeline.
            given: Outputs of other tasks, and what differs from the pipeline's inputs.
        """
        wanted = component.component_spec.inputs
        shared = {name: value for name, value in self._inputs.items() if name in wanted}
        task: PipelineTask = component(**{**shared, **given})
        self._adapt(task)
        return task


def pipeline(
    name: str,
    *tables: Mapping[str, Input],
    adapt: Adapt,
    outputs: type,
    without: Iterable[str] = (),
    defaults: Mapping[str, str | int | float | bool] | None = None,
) -> Callable[[Callable[[Steps], Any]], GraphComponent]:
    """Make a pipeline of a function that lays its tasks.

    Args:
        name: Of the pipeline.
        tables: Inputs that it takes, in this order; those that pawpetal fills in are added.
        adapt: Called with each task, to set what only one target has.
        outputs: A NamedTuple of what it leaves.
        without: Inputs in the tables that it does not take.
        defaults: Other defaults than the tables have.

    Returns:
        A decorator. kfp reads names, types, defaults and descriptions from a function's signature
        and docstring: these are made of the tables here.
    """
    chosen = {key: item for table in (*tables, FILLED_IN) for key, item in table.items()}
    taken = {key: item for key, item in chosen.items() if key not in set(without)}
    usual = {key: item.default for key, item in taken.items()} | dict(defaults or {})

    def decorate(lay: Callable[[Steps], Any]) -> GraphComponent:
        def graph(*channels: Any) -> Any:
            return lay(Steps(dict(zip(taken, channels, strict=True)), adapt))

        graph.__name__ = lay.__name__
        graph.__doc__ = "\n".join(
            [inspect.getdoc(lay) or "", "", "Args:"]
            + [f"    {key}: {item.help}" for key, item in taken.items()]
        )
        graph.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(
                    key,
                    inspect.Parameter.POSITIONAL_OR_KEYWORD,
                    default=usual[key],
                    annotation=type(usual[key]),
                )
                for key in taken
            ],
            return_annotation=outputs,
        )
        return dsl.pipeline(name=name)(graph)

    return decorate
