"""Trains a small network under JAX, in a process of its own, and writes how it went.

python -m tests.components.train.loop.jax_training DEVICE NUM_REPLICAS FOLDER
"""

import json
import random
import sys
from pathlib import Path

import numpy as np

from components.train.devices import describe_device, num_replicas_in_use, prepare_device

SIZE, NUM_CLASSES = 16, 3
ROWS = (16, 16, 5)  # of each batch: 8 devices divide 16, and not the last, which is smaller


def main(device: str, num_replicas: int, folder: Path) -> None:
    prepare_device(device, num_replicas)
    from components.train.loop.steps import make_steps

    told = {"device": describe_device(), "num_replicas": num_replicas_in_use()}
    model, batches = build(), make_batches()
    steps = make_steps(model, tuple(part[:1] for part in batches[0]), at_once=1)
    told["trained"] = [train(steps, batch) for batch in batches]
    told["evaluated"] = evaluate(steps, batches)
    told["readable"] = not any(variable.value.is_deleted() for variable in model.variables)
    steps.pull()
    told["steps"] = int(model.optimizer.iterations.value)
    told["drawn"] = int(model.get_layer("head").layers[0].seed_generator.state.value[1])
    model.save(folder / "model.keras")
    np.savez(
        folder / "predicted.npz", photos=batches[-1][0], said=np.asarray(model(batches[-1][0]))
    )
    weights = np.arange(16) % 2  # only every other photo counts
    steps.reset_metrics()
    steps.evaluate((*batches[0], weights.astype(np.float32)))
    told["weighted"] = steps.metrics()["loss"]
    for variable in model.get_layer("head").trainable_variables:
        variable.assign(0 * variable.value)  # then it says each class as likely
    steps.push()
    told["pushed"] = evaluate(steps, batches[:1])["loss"]
    told["trained on"] = train(steps, batches[0])["loss"]
    (folder / "told.json").write_text(json.dumps(told))


def build():
    """Convolution, normalisation, dropout: all that looks at, or draws for, whole batches."""
    import keras

    from components.train.network import Network, build_head

    random.seed(3)  # all that `keras.utils.set_random_seed` does for Keras, without TensorFlow
    photos = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(photos)
    # A bias before a normalisation has no gradient but rounding, which Adam makes whole steps of.
    x = keras.layers.Conv2D(8, 3, strides=2, use_bias=False)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.5)(x))
    backbone = keras.Model(photos, keras.layers.GlobalAveragePooling2D()(x))
    network = Network(backbone=backbone, head=build_head(8, NUM_CLASSES, seed=1))
    model = network.assemble(mirror_averaging=False)
    model.compile(
        keras.optimizers.AdamW(0.05), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def make_batches():
    rng = np.random.default_rng(0)
    batches = []
    for rows in ROWS:
        labels = rng.integers(0, NUM_CLASSES, rows).astype(np.int32)
        noise = rng.uniform(0, 100, (rows, SIZE, SIZE, 3))
        batches.append(((noise + 50 * labels[:, None, None, None]).astype(np.float32), labels))
    return batches


def train(steps, batch):
    steps.reset_metrics()
    steps.train([batch])
    return steps.metrics()


def evaluate(steps, batches):
    steps.reset_metrics()
    for batch in batches:
        steps.evaluate(batch)
    return steps.metrics()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
