"""Networks of keras.applications that transfer learning can start from. Light: no Keras here."""

from __future__ import annotations

from dataclasses import dataclass

MOBILENET_V3 = "Howard et al., 2019, arXiv 1905.02244"
EFFICIENTNET_V2 = "Tan and Le, 2021, arXiv 2104.00298"
RESNET_V2 = "He et al., 2016, arXiv 1603.05027"
CONVNEXT = "Liu et al., 2022, arXiv 2201.03545"


@dataclass(frozen=True, kw_only=True)
class Application:
    """One network of keras.applications, and how pawpetal uses it."""

    name: str  # of its function there
    # What its ImageNet weights expect: "tf" (pixels in [-1, 1]), "torch" (ImageNet's mean and
    # spread a channel), "caffe" (BGR, less the mean), or "inside" (the network does it itself).
    preprocessing: str
    weights_file: str  # as Keras keeps it once downloaded; may hold {size}, one of `weights_sizes`
    weights_sizes: tuple[int, ...] = ()  # pixels, where each size has weights of its own
    num_parameters: int  # without its top
    num_features: int
    image_size: int  # usual height and width, pixels
    min_image_size: int = 32
    summary: str
    paper: str
    fine_tune_blocks: int = 3
    fine_tune_learning_rate: float = 1e-4


_TABLE = (
    Application(
        name="MobileNetV2",
        preprocessing="tf",
        weights_file="mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_{size}_no_top.h5",
        weights_sizes=(96, 128, 160, 192, 224),
        num_parameters=2_257_984,
        num_features=1280,
        image_size=224,
        fine_tune_blocks=4,
        summary="start here: small, fast, good from a few hundred photos on",
        paper="Sandler et al., 2018, arXiv 1801.04381",
    ),
    Application(
        name="MobileNetV3Small",
        preprocessing="inside",
        weights_file="weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        num_parameters=939_120,
        num_features=576,
        image_size=224,
        summary="the smallest: phones",
        paper=MOBILENET_V3,
    ),
    Application(
        name="MobileNetV3Large",
        preprocessing="inside",
        weights_file="weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        num_parameters=2_996_352,
        num_features=960,
        image_size=224,
        summary="phones; about the cost of MobileNetV2",
        paper=MOBILENET_V3,
    ),
    Application(
        name="EfficientNetV2B0",
        preprocessing="inside",
        weights_file="efficientnetv2-b0_notop.h5",
        num_parameters=5_919_312,
        num_features=1280,
        image_size=224,
        summary="a step up from MobileNet, in cost too",
        paper=EFFICIENTNET_V2,
    ),
    Application(
        name="EfficientNetV2B1",
        preprocessing="inside",
        weights_file="efficientnetv2-b1_notop.h5",
        num_parameters=6_931_124,
        num_features=1280,
        image_size=240,
        summary="B0, deeper, for larger photos",
        paper=EFFICIENTNET_V2,
    ),
    Application(
        name="EfficientNetV2B2",
        preprocessing="inside",
        weights_file="efficientnetv2-b2_notop.h5",
        num_parameters=8_769_374,
        num_features=1408,
        image_size=260,
        summary="B1, wider; a GPU helps",
        paper=EFFICIENTNET_V2,
    ),
    Application(
        name="EfficientNetV2B3",
        preprocessing="inside",
        weights_file="efficientnetv2-b3_notop.h5",
        num_parameters=12_930_622,
        num_features=1536,
        image_size=300,
        summary="B2, deeper, for large photos; a GPU helps",
        paper=EFFICIENTNET_V2,
    ),
    Application(
        name="EfficientNetV2S",
        preprocessing="inside",
        weights_file="efficientnetv2-s_notop.h5",
        num_parameters=20_331_360,
        num_features=1280,
        image_size=384,
        summary="large sibling of B0 to B3; for a GPU",
        paper=EFFICIENTNET_V2,
    ),
    Application(
        name="ResNet50",
        preprocessing="caffe",
        weights_file="resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        num_parameters=23_587_712,
        num_features=2048,
        image_size=224,
        summary="what others are compared with",
        paper="He et al., 2015, arXiv 1512.03385",
    ),
    Application(
        name="ResNet50V2",
        preprocessing="tf",
        weights_file="resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        num_parameters=23_564_800,
        num_features=2048,
        image_size=224,
        summary="ResNet50, normalised before each convolution",
        paper=RESNET_V2,
    ),
    Application(
        name="ResNet101V2",
        preprocessing="tf",
        weights_file="resnet101v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        num_parameters=42_626_560,
        num_features=2048,
        image_size=224,
        summary="ResNet50V2, twice as deep; for a GPU",
        paper=RESNET_V2,
    ),
    Application(
        name="Xception",
        preprocessing="tf",
        weights_file="xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
        num_parameters=20_861_480,
        num_features=2048,
        image_size=299,
        min_image_size=71,
        summary="separable convolutions; large photos",
        paper="Chollet, 2016, arXiv 1610.02357",
    ),
    Application(
        name="InceptionV3",
        preprocessing="tf",
        weights_file="inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        num_parameters=21_802_784,
        num_features=2048,
        image_size=299,
        min_image_size=75,
        summary="inception modules, grown up; large photos",
        paper="Szegedy et al., 2015, arXiv 1512.00567",
    ),
    Application(
        name="DenseNet121",
        preprocessing="torch",
        weights_file="densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
        num_parameters=7_037_504,
        num_features=1024,
        image_size=224,
        summary="few parameters, much memory",
        paper="Huang et al., 2016, arXiv 1608.06993",
    ),
    Application(
        name="ConvNeXtTiny",
        preprocessing="inside",
        weights_file="convnext_tiny_notop.h5",
        num_parameters=27_820_128,
        num_features=768,
        image_size=224,
        summary="convolutions after transformers; for a GPU",
        paper=CONVNEXT,
    ),
    Application(
        name="ConvNeXtSmall",
        preprocessing="inside",
        weights_file="convnext_small_notop.h5",
        num_parameters=49_454_688,
        num_features=768,
        image_size=224,
        summary="ConvNeXtTiny, deeper; for a GPU",
        paper=CONVNEXT,
    ),
)
APPLICATIONS = {application.name: application for application in _TABLE}
