"""What a photo asks of a chip, and of a core, by network: docs/tpu.md and docs/vertex_costs.md.

`tests/pipelines/google_cloud/test_durations.py` compares these tables with theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

PHOTOS_A_STEP = 256

# Network: height and width in pixels, GFLOP a training step, GB read and written a step; the
# compiler's own count for TPU v5e:2x2, in bfloat16.
COUNTED = {
    "dense": (64, 3.6, 0.6),
    "inception": (64, 26.1, 2.2),
    "inception_reference": (150, 8866.6, 183.3),
    "residual": (64, 23.2, 1.4),
    "residual_reference": (150, 10527.0, 73.6),
    "two_output": (64, 32.5, 1.6),
    "transfer:MobileNetV2": (224, 554.8, 57.4),
    "transfer:MobileNetV3Small": (224, 111.7, 13.9),
    "transfer:MobileNetV3Large": (224, 409.9, 43.4),
    "transfer:EfficientNetV2B0": (224, 1190.4, 39.3),
    "transfer:EfficientNetV2B1": (240, 1973.4, 60.5),
    "transfer:EfficientNetV2B2": (260, 2793.1, 79.1),
    "transfer:EfficientNetV2B3": (300, 4930.0, 133.5),
    "transfer:EfficientNetV2S": (384, 13560.3, 285.3),
    "transfer:ResNet50": (224, 5764.8, 101.3),
    "transfer:ResNet50V2": (224, 5176.3, 71.8),
    "transfer:ResNet101V2": (224, 10674.4, 109.1),
    "transfer:Xception": (299, 13106.3, 213.4),
    "transfer:InceptionV3": (299, 8561.9, 124.4),
    "transfer:DenseNet121": (224, 4420.9, 134.2),
    "transfer:ConvNeXtTiny": (224, 7093.6, 97.4),
    "transfer:ConvNeXtSmall": (224, 13735.8, 147.1),
}

# Milliseconds of a core that a forward pass takes a photo, at that size.
FORWARD_MS = {
    "transfer:MobileNetV2": 27.5,
    "transfer:MobileNetV3Small": 10.0,
    "transfer:MobileNetV3Large": 22.2,
    "transfer:EfficientNetV2B0": 36.4,
    "transfer:EfficientNetV2B1": 51.2,
    "transfer:EfficientNetV2B2": 69.4,
    "transfer:EfficientNetV2B3": 133.1,
    "transfer:EfficientNetV2S": 342.8,
    "transfer:ResNet50": 120.8,
    "transfer:ResNet50V2": 103.8,
    "transfer:ResNet101V2": 204.7,
    "transfer:Xception": 290.0,
    "transfer:InceptionV3": 162.0,
    "transfer:DenseNet121": 110.0,
    "transfer:ConvNeXtTiny": 646.1,
    "transfer:ConvNeXtSmall": 1159.5,
}


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Of one photo in one training step."""

    gflop: float
    gigabytes: float  # in bfloat16


def needs_of(architecture: str, image_size: int) -> Needs:
    """Scale what was counted with the area of the photo.

    Args:
        architecture: Name of the network.
        image_size: Height and width, pixels.
    """
    pixels, gflop, gigabytes = COUNTED[architecture]
    share = (image_size / pixels) ** 2 / PHOTOS_A_STEP
    return Needs(gflop=gflop * share, gigabytes=gigabytes * share)
