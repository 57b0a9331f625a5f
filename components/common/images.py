"""Names of the container images that the steps run in: the one place that knows them.

Compiling adds the tag, and where it is told so the registry they are pulled from
(`pipelines.images`).
"""

CPU = "pawpetal-cpu"  # TensorFlow and Keras: every step that touches photos
GPU = "pawpetal-gpu"  # the same with CUDA
LIGHT = "pawpetal-light"  # no TensorFlow: registries, schedules, compiling
TPU = "pawpetal-tpu"  # Keras on JAX
