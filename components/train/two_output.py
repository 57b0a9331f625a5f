"""Train a network that says class and place: two losses, weighed against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import losses, metrics, ops

from components.train.fitting import run
from components.train.loop.loop import Fit, Hooks
from components.train.loop.phases import Phase
from components.train.loss_weighting import LossWeighting, PacedAdamW, build_weighting
from components.train.material import Material
from components.train.network import Network
from components.train.places.losses import judge_places
from components.train.places.targets import placed_batches
from components.train.settings import TrainSettings

Tensor = Any  # of the backend


def fit_two_outputs(
    network: Network,
    material: Material,
    settings: TrainSettings,
    phase: Phase | None = None,
) -> Fit:
    """Train both outputs by AdamW, and keep the epoch with the lowest validation loss.

    Args:
        network: Its head says "class" and "place"; changed in place.
        material: What to learn from. A photo whose place is not known, or has left the photo as it
            was augmented, counts for the class alone.
        settings: Resolved.
        phase: Where the state is kept, and taken up from; None keeps none.

    Returns:
        How training went. Beside the usual, the history holds `class_loss`, `place_loss` and
        `place_iou`, also of validation, and `alpha` as each epoch ended. Losses are the sum of
        both, not weighed: so epochs can be compared, and runs, wherever alpha went.

    Raises:
        DataError: If no place is known.
        TrainingError: If the loss stops being a number.
    """
    train, validation = placed_batches(
        material,
        place=settings.place,
        cells=network.head.output["place"].shape[1],
        channels=settings.channels,
        batch_size=settings.batch_size,
        seed=settings.seed,
    )
    weighting = build_weighting(settings.loss_weighting, settings.alpha)
    model = TrainingModel(network.assemble(mirror_averaging=False), weighting)
    return run(
        model,
        train,
        validation,
        settings.fit_settings(epochs=settings.epochs, learning_rate=settings.learning_rate),
        optimizer=PacedAdamW,
        phase=phase,
        hooks=Hooks(
            before_epoch=lambda epoch: weighting.move_to(epoch / max(settings.epochs - 1, 1)),
            observe=lambda: {"alpha": weighting.alpha()},
        ),
    )


class TrainingModel(keras.Model):
    """From photos, labels and places to the weighed loss; what weighs it is trained in here.

    The network for prediction is inside, and knows nothing of labels and losses.
    """

    def __init__(self, network: keras.Model, weighting: LossWeighting) -> None:
        """Join them.

        Args:
            network: From photos to "class" and "place".
            weighting: Makes one loss of two.
        """
        super().__init__(name="two_output_training")
        self._network = network
        self._weighting = weighting
        self._accuracy = metrics.SparseCategoricalAccuracy(name="accuracy")
        self._means = {
            name: metrics.Mean(name=name) for name in ("class_loss", "place_loss", "place_iou")
        }

    def call(self, photos: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Predict."""
        said: dict[str, Tensor] = self._network(photos, training=training)
        return said

    def compute_loss(
        self,
        x: Tensor = None,  # noqa: ARG002  # Keras gives them by name
        y: Mapping[str, Tensor] | None = None,
        y_pred: Mapping[str, Tensor] | None = None,
        sample_weight: Tensor = None,  # noqa: ARG002
        training: bool = True,  # noqa: ARG002
    ) -> Tensor:
        """The weighed loss of a batch; its parts go into the metrics.

        Args:
            x: Photos.
            y: Their "class" and "place".
            y_pred: What the network said of them.
            sample_weight: None.
            training: Whether it is trained.
        """
        truth, said = dict(y or {}), dict(y_pred or {})
        class_loss = losses.sparse_categorical_crossentropy(truth["class"], said["class"])
        places = judge_places(truth["place"], said["place"])
        self._accuracy.update_state(truth["class"], said["class"])
        self._means["class_loss"].update_state(class_loss)
        self._means["place_loss"].update_state(places.loss, sample_weight=places.known)
        self._means["place_iou"].update_state(places.iou, sample_weight=places.known)
        num_known = ops.maximum(ops.sum(places.known), 1.0)
        return self._weighting(ops.mean(class_loss), ops.sum(places.loss) / num_known)

    def get_metrics_result(self) -> dict[str, Tensor]:
        """The metrics; the loss is the sum of both, since weighed ones cannot be compared."""
        results = super().get_metrics_result()
        return {**results, "loss": results["class_loss"] + results["place_loss"]}
