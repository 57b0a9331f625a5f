"""Look for secrets in images: `python docker/scan.py IMAGE... --base-image BASE`.

Reads every layer, so it also finds what a later layer deletes, and the image's configuration and
history. Prints where and what kind, never the secret. Exit status 1 where it finds any.

What a wheel publishes is no secret of ours: a file whose bytes are those that its wheel's RECORD
lists is left out, test keys and certificates of libraries included. The lock checked that wheel by
hash. Left unread: compiled libraries of more than 1 MB, and what is inside archives.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import json
import posixpath
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

BLOCK = 2**20  # bytes; tarfile's own blocks of 10 kB cost half of the time
CHUNK = 16 * 2**20  # bytes of a file looked at at once, beside the last ones of the chunk before
OVERLAP = 8 * 2**10
ELF, GZIP = b"\x7fELF", b"\x1f"  # how such files begin
OURS = "pawpetal"  # the one wheel that nobody published

# A key or a certificate counts with its body only: code that reads them names their first lines.
_BODY = rb"-----(?:\\n|\s)+(?:[\w-]+: [^\n]*\s+)*[A-Za-z0-9+/=]{40}"
_WORD = rb"[^\s/:@'\"<>`\\()\[\]]{1,80}"
# Kind; bytes that must be there, which are quick to look for; what they must be part of.
CONTENTS = tuple(
    (kind, literal, re.compile(pattern))
    for kind, literal, pattern in (
        ("private key", b" PRIVATE KEY", rb"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?" + _BODY),
        ("service-account key", b'"private_key_id"', rb'"private_key_id"\s*:\s*"[0-9a-f]{40}"'),
        ("Google user credentials", b'"refresh_token"', rb'"refresh_token"\s*:\s*"1//[\w-]{20,}"'),
        ("Google API key", b"AIza", rb"AIza[\w-]{35}(?![\w-])"),
        ("Google OAuth token", b"ya29.", rb"ya29\.[\w-]{40,}"),
        ("AWS access key", b"AKIA", rb"(?<![A-Za-z0-9+/])AKIA[A-Z2-7]{16}(?![A-Za-z0-9+/=])"),
        ("Azure storage key", b"AccountKey=", rb"AccountKey=[A-Za-z0-9+/=]{86}"),
        *(
            ("GitHub token", prefix, prefix + rb"[A-Za-z0-9]{36}(?!\w)")
            for prefix in (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_")
        ),
        ("GitHub token", b"github_pat_", rb"github_pat_\w{82}"),
        ("GitLab token", b"glpat-", rb"glpat-[\w-]{20}"),
        ("Hugging Face token", b"hf_", rb"(?<!\w)hf_[A-Za-z0-9]{34}(?!\w)"),
        ("PyPI token", b"pypi-AgE", rb"pypi-AgE[\w-]{50,}"),
        ("npm token", b"npm_", rb"(?<!\w)npm_[A-Za-z0-9]{36}(?!\w)"),
        ("Docker Hub token", b"dckr_pat_", rb"dckr_pat_[\w-]{27}"),
        ("Slack token", b"xox", rb"xox[abeoprs]-\d[\w-]{20,}"),
        ("URL with a password", b"://", rb"://" + _WORD + rb":" + _WORD + rb"@[A-Za-z0-9.-]+"),
        ("CA bundle", b"BEGIN CERTIFICATE", rb"-----BEGIN CERTIFICATE" + _BODY),
    )
)
PATHS = {
    "credentials file": re.compile(
        r"/(?:[._]netrc|\.pgpass|\.pypirc|\.git-credentials|\.npmrc|\.env|\.boto|\.dockercfg"
        r"|\.docker/config\.json|\.kube/config|kubeconfig|\.aws/credentials|\.ssh/.+"
        r"|id_(?:rsa|dsa|ecdsa|ed25519)|client_secret[^/]*\.json|application_default_credentials\.json"
        r"|\.?huggingface/token|[^/]+\.(?:p12|pfx|jks|kdbx))$"
    ),
    "pip configuration": re.compile(r"/(?:\.?pip/)?(?:pip|uv)\.(?:conf|ini|toml)$"),
}
# In environment, labels and history.
SECRET_NAME = re.compile(
    r"(?i)(?:^|[\W_])(?:secret|token|password|passwd|passphrase|credentials?|auth"
    r"|(?:api|access|private)_?key)(?:$|[\W_])"
)
BUILD_NAME = re.compile(
    r"(?i)^(?:pip_(?!no_|disable_|default_).*|.*_ca_bundle|ssl_cert_.*|.*_proxy)$"
)
MODES = ("setuid or setgid file", "writable by all")
ASSIGNMENT = re.compile(r"([A-Za-z_][\w.-]*)=(?=[^\s\"'])")

_BYTECODE = re.compile(r"(?P<folder>.+)/__pycache__/(?P<name>[^/]+)\.cpython-\d+\.pyc")
_RECORD = re.compile(rf"(?P<site>.+)/(?!{OURS}-)[^/]+\.dist-info/RECORD")


@dataclass(frozen=True, order=True)
class Finding:
    """Where something stands that should not."""

    place: str  # "layer 2 of 4" or "configuration"
    path: str  # of the file, or in the configuration
    kind: str


@dataclass
class Layer:
    """What one layer holds, as far as it matters here."""

    num_files: int = 0
    found: list[tuple[str, str]] = field(default_factory=list)  # path and kind
    hashes: dict[str, str] = field(default_factory=dict)  # of files with findings
    published: dict[str, str] = field(default_factory=dict)  # SHA-256 by path, as RECORDs say

    def findings(self) -> Iterator[tuple[str, str]]:
        """What is left without the contents that wheels publish."""
        for path, kind in self.found:
            if kind in MODES or not self._is_published(path):
                yield path, kind

    def _is_published(self, path: str) -> bool:
        if source := _BYTECODE.fullmatch(path):  # compiled here, from what was published
            return f"{source['folder']}/{source['name']}.py" in self.published
        return path in self.published and self.published[path] == self.hashes[path]


@dataclass(frozen=True, kw_only=True)
class Result:
    """Of one image."""

    findings: list[Finding]
    num_files: int
    layers: list[str]  # their digests, the base's included


def main() -> int:
    """Scan what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="references of images")
    parser.add_argument("--base-image", default="", help="whose own findings do not count")
    arguments = parser.parse_args()
    found = 0
    for image in arguments.images:
        result = scan(image, arguments.base_image)
        found += len(result.findings)
        for finding in result.findings:
            print(f"{image}: {finding.place}: {finding.path}: {finding.kind}")
        if not result.findings:
            print(
                f"{image}: no secrets found in {result.num_files} files"
                f" of {len(result.layers)} layers"
            )
    return 1 if found else 0


def scan(image: str, base_image: str = "") -> Result:
    """Read an image as `docker save` gives it, once.

    Args:
        image: Its reference.
        base_image: Of the image it is built from; findings there do not count.

    Raises:
        RuntimeError: If the engine has no such image.
        ValueError: If `image` is not built from `base_image`.
    """
    num_base = _num_base_layers(image, base_image)
    layers, documents = _read_image(image)
    manifest = json.loads(documents["manifest.json"])[0]
    config = json.loads(documents[manifest["Config"]])
    names = manifest["Layers"]
    findings = {
        Finding(f"layer {number} of {len(names)}", path, kind)
        for number, name in enumerate(names, start=1)
        if number > num_base
        for path, kind in layers[name].findings()
    }
    base = configuration(base_image) if base_image else None
    return Result(
        findings=sorted(findings | set(config_findings(config, base))),
        num_files=sum(layers[name].num_files for name in names),
        layers=config["rootfs"]["diff_ids"],
    )


def config_findings(
    config: dict[str, Any], base: dict[str, Any] | None = None
) -> Iterator[Finding]:
    """What an image's configuration and history give away, wherever in them, beyond its base's."""
    known = {text for _, text in _strings(base or {}, "")}
    for path, text in _strings(config, ""):
        if text in known:
            continue
        kinds = {f"variable {name}" for name in ASSIGNMENT.findall(text) if _is_telling(name)}
        for kind in kinds | set(_kinds_of_content(text.encode())):
            yield Finding("configuration", path, kind)


def configuration(image: str) -> dict[str, Any]:
    """Configuration and history of an image, as the engine tells them."""
    return {
        "config": json.loads(_ask("image", "inspect", "--format={{json .Config}}", image)),
        "history": _ask("history", "--no-trunc", "--format={{.CreatedBy}}", image).splitlines(),
    }


def _num_base_layers(image: str, base_image: str) -> int:
    if not base_image:
        return 0
    layers, base = (_layers(reference) for reference in (image, base_image))
    if layers[: len(base)] != base:
        raise ValueError(f"`base_image` must be what {image} is built from. Received: {base_image}")
    return len(base)


def _layers(reference: str) -> list[str]:
    return list(json.loads(_ask("image", "inspect", "--format={{json .RootFS.Layers}}", reference)))


def _ask(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"`docker {arguments[0]} ...` failed: {done.stderr.strip()}")
    return done.stdout


def _read_image(image: str) -> tuple[dict[str, Layer], dict[str, bytes]]:
    command = ["docker", "save", image]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as save:
        try:
            read = _read_archive(save.stdout) if save.stdout else ({}, {})
        except tarfile.ReadError:
            read = {}, {}  # nothing came; why, it says itself
        message = save.stderr.read().decode().strip() if save.stderr else ""
    if save.returncode or "manifest.json" not in read[1]:
        raise RuntimeError(f"`docker save {image}` failed: {message}")
    return read


def _read_archive(stream: IO[bytes]) -> tuple[dict[str, Layer], dict[str, bytes]]:
    """Layers, and everything else, by path; the layout of OCI and Docker's older one."""
    layers: dict[str, Layer] = {}
    links: dict[str, str] = {}
    documents: dict[str, bytes] = {}
    with tarfile.open(fileobj=stream, mode="r|", bufsize=BLOCK) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if member.issym():  # a layer that equals another, in the older layout
                folder = posixpath.dirname(member.name)
                links[member.name] = posixpath.normpath(f"{folder}/{member.linkname}")
            elif content is None:
                continue
            elif _is_document(content, member.size):
                documents[member.name] = content.read()
            else:
                layers[member.name] = _read_layer(content, member.name)
    while stream.read(BLOCK):  # else the engine waits for a reader
        pass
    return layers | {name: layers[target] for name, target in links.items()}, documents


def _is_document(content: IO[bytes], size: int) -> bool:
    head = content.peek(1)[:1]  # type: ignore[attr-defined]  # a BufferedReader
    # JSON, or a version number; small layers are compressed ones.
    return head in (b"{", b"[") or (size < tarfile.BLOCKSIZE and head != GZIP)


def _read_layer(content: IO[bytes], name: str) -> Layer:
    layer = Layer()
    try:
        with tarfile.open(fileobj=content, mode="r|*", bufsize=BLOCK) as archive:
            for member in archive:
                path = "/" + member.name.removeprefix("./")
                layer.found += [(path, kind) for kind in _kinds_of_entry(member, path)]
                file = archive.extractfile(member) if member.isreg() else None
                if file is not None:
                    layer.num_files += 1
                    _read_file(layer, path, file, member.size)
    except tarfile.ReadError as error:
        raise RuntimeError(f"Layer {name} is no tar file that can be read here: {error}") from error
    return layer


def _kinds_of_entry(member: tarfile.TarInfo, path: str) -> Iterator[str]:
    if member.isreg() and member.mode & 0o6000:
        yield MODES[0]
    if member.mode & 0o002 and (member.isreg() or (member.isdir() and not member.mode & 0o1000)):
        yield MODES[1]
    if member.isreg():
        yield from (kind for kind, pattern in PATHS.items() if pattern.search(path))


def _read_file(layer: Layer, path: str, file: IO[bytes], size: int) -> None:
    chunk = file.read(CHUNK)
    if size > BLOCK and chunk.startswith(ELF):
        return  # machine code, as its wheel or Debian's package brought it
    if record := _RECORD.fullmatch(path):
        layer.published |= _published(record["site"], chunk)
    digest = hashlib.sha256()
    kinds: set[str] = set()
    before = b""
    while chunk:
        digest.update(chunk)
        kinds.update(_kinds_of_content(before + chunk))
        before, chunk = chunk[-OVERLAP:], file.read(CHUNK)
    layer.found += [(path, kind) for kind in kinds]
    layer.hashes[path] = digest.hexdigest()


def _published(site: str, record: bytes) -> dict[str, str]:
    """SHA-256 by path of the files that a wheel says it brings."""
    rows = csv.reader(record.decode().splitlines())
    listed = ((row[0], row[1].partition("=")) for row in rows if len(row) == 3)
    return {
        posixpath.normpath(f"{site}/{name}"): base64.urlsafe_b64decode(value + "==").hex()
        for name, (method, _, value) in listed
        if method == "sha256"
    }


def _kinds_of_content(content: bytes) -> Iterator[str]:
    for kind, literal, pattern in CONTENTS:
        if literal in content and pattern.search(content):
            yield kind


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """All texts in a configuration, settings as NAME=VALUE."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str):
                yield f"{path}.{name}".lstrip("."), f"{name}={inner}"
            else:
                yield from _strings(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _strings(inner, f"{path}[{number}]")
    elif isinstance(value, str):
        yield path, value


def _is_telling(name: str) -> bool:
    return bool(SECRET_NAME.search(name) or BUILD_NAME.match(name))


if __name__ == "__main__":
    sys.exit(main())
