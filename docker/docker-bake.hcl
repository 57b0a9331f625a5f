# The images by buildx, as docker/build.py builds them by the plain builder:
#
#   TAG=$(python -c 'from pipelines.images import tag; print(tag())') REVISION=$(git rev-parse HEAD) \
#     docker buildx bake -f docker/docker-bake.hcl [light|cpu|gpu|tpu]
#
# Without a name: light and cpu. Add --push and REGISTRY=HOST/PATH/ to push them, --load to have them
# in this machine's engine. tests/docker/test_bake.py compares this file with docker/build.py; it was
# not run by buildx itself.

# What pipelines.images.tag() says. No default: a tag that moves is worse than none.
variable "TAG" { default = "" }

# The commit.
variable "REVISION" { default = "" }

# Where images are pushed, with a slash at its end; empty: names of this machine.
variable "REGISTRY" { default = "" }

# A Debian with Python 3.11.
variable "BASE_IMAGE" { default = "python:3.11-slim" }

# Another package index; pip's own where it is empty.
variable "PIP_INDEX_URL" { default = "" }

# /build/ca/bundle.crt where pip needs other certificates: lay them at docker/ca/bundle.crt meanwhile.
variable "CA" { default = "" }

group "default" {
  targets = ["light", "cpu"]
}

target "_image" {
  context    = "."
  dockerfile = "docker/Dockerfile"
  platforms  = ["linux/amd64"]
  args = {
    BASE_IMAGE    = BASE_IMAGE
    PIP_CERT      = CA
    PIP_INDEX_URL = PIP_INDEX_URL
    REVISION      = REVISION
    TAG           = TAG
  }
}

target "light" {
  inherits = ["_image"]
  args     = { IMAGE = "light" }
  tags     = ["${REGISTRY}pawpetal-light:${TAG}"]
}

target "cpu" {
  inherits = ["_image"]
  args     = { IMAGE = "cpu" }
  tags     = ["${REGISTRY}pawpetal-cpu:${TAG}"]
}

target "gpu" {
  inherits = ["_image"]
  args     = { IMAGE = "gpu" }
  tags     = ["${REGISTRY}pawpetal-gpu:${TAG}"]
}

target "tpu" {
  inherits = ["_image"]
  args     = { IMAGE = "tpu", KERAS_BACKEND = "jax" }
  tags     = ["${REGISTRY}pawpetal-tpu:${TAG}"]
}
