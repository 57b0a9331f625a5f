# What up, demo and down share; sourced, never run.
# shellcheck shell=bash disable=SC2034  # names are for those who source this
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=infra/kind/versions.env
. infra/kind/versions.env

PYTHON=${PYTHON:-.venv/bin/python}
command -v "$PYTHON" >/dev/null || PYTHON=python3
UI_URL=http://127.0.0.1:$UI_PORT
MLFLOW_URL=http://127.0.0.1:$MLFLOW_PORT
# As the pods of the cluster see it.
REGISTRY_URI=mlflow:http://mlflow.$NAMESPACE.svc.cluster.local:5000

# Never the context that happens to be current: that may be someone's production.
cluster() { kubectl --context "kind-$CLUSTER" "$@"; }

has_cluster() { kind get clusters 2>/dev/null | grep -x "$CLUSTER" >/dev/null; }

phase() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }
