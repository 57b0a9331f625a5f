"""Photos of every odd kind, and files of every bad one, made on the spot."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

ORIENTATION, MAKER, MODEL = 0x0112, 0x010F, 0x0110  # EXIF tags
Pixels = NDArray[np.uint8]
# How a picture has to be stored that EXIF says to turn so, to be seen upright.
STORED_FOR = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,  # Pillow counts against the clock
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def picture(seed: int = 0, *, height: int = 96, width: int = 128) -> Pixels:
    """Blobs of colour in four sizes, the large ones strong: nature's spectrum, about."""
    rng = np.random.default_rng(seed)
    blobs = (rng.normal(size=(3 * scale, 4 * scale, 3)) / scale for scale in (1, 2, 4, 8))
    layers = [cv2.resize(blob, (width, height), interpolation=cv2.INTER_CUBIC) for blob in blobs]
    return np.asarray(128 + 40 * sum(layers)).clip(0, 255).astype(np.uint8)


def encode(
    file_format: str, pixels: Pixels | None = None, *, mode: str = "RGB", **options: Any
) -> bytes:
    """The picture in a format by Pillow's name, its mode and options those of Pillow, too."""
    buffer = io.BytesIO()
    image = Image.fromarray(picture() if pixels is None else pixels).convert(mode)
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def exif(*, orientation: int = 1, maker: str = "", model: str = "") -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    if maker:
        tags[MAKER] = maker
    if model:
        tags[MODEL] = model
    return tags


def turned(orientation: int, file_format: str = "JPEG", pixels: Pixels | None = None) -> bytes:
    """The picture lying as a camera held so stores it, with the EXIF data to turn it back."""
    image = Image.fromarray(picture() if pixels is None else pixels)
    if orientation in STORED_FOR:
        image = image.transpose(STORED_FOR[orientation])
    options = {"lossless": True} if file_format == "WEBP" else {}
    return encode(file_format, np.asarray(image), exif=exif(orientation=orientation), **options)


def phone_jpeg() -> bytes:
    """A JPEG with a second picture behind it (MPO)."""
    second = Image.fromarray(picture(1, height=24, width=32))
    return encode("MPO", save_all=True, append_images=[second])


def with_thumbnail(encoded: bytes) -> bytes:
    """A JPEG with a small JPEG, its end mark included, in its EXIF data."""
    segment = b"Exif\0\0II*\0\x08\0\0\0\0\0" + encode("JPEG", picture(height=24, width=32))
    return encoded[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + encoded[2:]


def ycck_jpeg() -> bytes:
    """A JPEG for print as Photoshop stores it: inverted, as luma, chroma and black."""
    inks = 255 - np.asarray(Image.fromarray(picture()).convert("CMYK"))
    return simplejpeg.encode_jpeg(np.ascontiguousarray(inks), 95, "CMYK", "420")


def sixteen_bit_png(*, gray: bool = False) -> bytes:
    pixels = picture().astype(np.uint16) * 257
    return cv2.imencode(".png", pixels[..., 0] if gray else pixels[..., ::-1])[1].tobytes()


def animated(file_format: str) -> bytes:
    """A PNG or WebP whose first frame is the picture."""
    others = [Image.fromarray(picture(seed)) for seed in (1, 2)]
    options = {"lossless": True} if file_format == "WEBP" else {}
    return encode(file_format, save_all=True, append_images=others, **options)


def bomb(side_px: int = 50_000) -> bytes:
    """A PNG of a hundred bytes that says it has 2.5 thousand million pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(side_px))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    )


def jpeg_bomb(side_px: int = 65_500) -> bytes:
    """A JPEG whose header says so; there are no pixels for most of it."""
    encoded = bytearray(encode("JPEG"))
    frame = encoded.index(b"\xff\xc0")
    encoded[frame + 5 : frame + 9] = struct.pack(">HH", side_px, side_px)
    return bytes(encoded)


def truncated(encoded: bytes, part: float = 0.5) -> bytes:
    return encoded[: int(part * len(encoded))]


def cut_out(encoded: bytes, num_bytes: int = 64) -> bytes:
    """A file that lost bytes in the middle."""
    middle = len(encoded) // 2
    return encoded[:middle] + encoded[middle + num_bytes :]


def zeroed(encoded: bytes, num_bytes: int = 64) -> bytes:
    """A file that a disk, or a download, left with a hole in the middle."""
    middle = len(encoded) // 2
    return encoded[:middle] + bytes(num_bytes) + encoded[middle + num_bytes :]


def closed(jpeg: bytes) -> bytes:
    """A truncated JPEG that somebody gave an end mark."""
    return jpeg + b"\xff\xd9"


def with_spare_bytes(jpeg: bytes, num_bytes: int = 228) -> bytes:
    """A sound JPEG with bytes before its end that nobody reads, as many in cats vs. dogs."""
    return jpeg[:-2] + bytes(range(1, 255)) * (num_bytes // 254 + 1) + jpeg[-2:]


def flipped(encoded: bytes, place: float = 0.5) -> bytes:
    """A file with one byte changed."""
    changed = bytearray(encoded)
    changed[int(place * len(encoded))] ^= 0x55
    return bytes(changed)


def odd_photos() -> dict[str, bytes]:
    """Photos that can be used, by names that say what is odd about them."""
    return {
        "grayscale.jpg": encode("JPEG", mode="L"),
        "cmyk.jpg": encode("JPEG", mode="CMYK"),
        "ycck.jpg": ycck_jpeg(),
        "progressive.jpg": encode("JPEG", progressive=True),
        "phone.jpg": phone_jpeg(),
        "turned.jpg": turned(6),
        "spare-bytes.jpg": with_spare_bytes(encode("JPEG")),
        "named.png": encode("JPEG"),
        "alpha.png": encode("PNG", mode="RGBA"),
        "palette.png": encode("PNG", mode="P"),
        "16-bit.png": sixteen_bit_png(),
        "animated.png": animated("PNG"),
        "alpha.webp": encode("WEBP", np.dstack([picture(), picture()[..., 0]]), mode="RGBA"),
        "animated.webp": animated("WEBP"),
        "palette.bmp": encode("BMP", mode="P"),
        "tiny.png": encode("PNG", picture(height=1, width=1)),
        "wide.jpg": encode("JPEG", picture(height=2, width=3000)),
    }


def bad_files() -> dict[str, bytes]:
    """Files that cannot be used, by names that say why."""
    jpeg, png = encode("JPEG"), encode("PNG")
    return {
        "empty.jpg": b"",
        "text.jpg": b"Dear reader,\nthis is no photo.\n",
        "page.jpg": b"<!DOCTYPE html><html><title>404 Not Found</title></html>",
        "start-only.jpg": jpeg[:3],
        "header-only.jpg": jpeg[:300],
        "truncated.jpg": truncated(jpeg),
        "truncated-thumbnail.jpg": truncated(with_thumbnail(jpeg), 0.9),
        "without-end.jpg": jpeg[:-2],
        "truncated-closed.jpg": closed(truncated(jpeg, 0.8)),
        "cut-out.jpg": cut_out(jpeg),
        "zeroed.jpg": zeroed(jpeg),
        "truncated-cmyk.jpg": truncated(encode("JPEG", mode="CMYK"), 0.9),
        "truncated.png": truncated(png),
        "flipped.png": flipped(png),
        "truncated.webp": truncated(encode("WEBP")),
        "truncated.bmp": truncated(encode("BMP")),
        "moving.gif": encode("GIF"),
        "scan.tiff": encode("TIFF"),
        "phone.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
        "bomb.png": bomb(),
        "bomb.jpg": jpeg_bomb(),
    }
