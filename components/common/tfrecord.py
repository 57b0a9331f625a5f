"""TFRecord files and `tf.train.Example` messages, without TensorFlow.

Importing TensorFlow takes 5 seconds and more, which three of the steps would spend on this alone.

Reference:
    tensorflow/core/lib/io/record_writer.h (framing) and tensorflow/core/example/*.proto.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import google_crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from components.common.errors import DataError

_HEADER = struct.Struct("<QI")  # length of the record, masked checksum of the length
_CHECKSUM = struct.Struct("<I")


def frame(record: bytes) -> bytes:
    """One record as it stands in a TFRecord file."""
    length = struct.pack("<Q", len(record))
    checksum = _CHECKSUM.pack(_masked_crc(record))
    return b"".join((length, _CHECKSUM.pack(_masked_crc(length)), record, checksum))


def read_records(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Stream the records of a TFRecord file, each checked by its CRC32C.

    Args:
        file: Open for reading, at the start of a record.
        name: Of the file, for errors.

    Raises:
        DataError: If a record is damaged or cut short.
    """
    place = 0
    while header := file.read(_HEADER.size):
        record = _read_record(file, header)
        if record is None:
            raise DataError(
                f"'{name}' holds a damaged record at byte {place}: delete its folder, and run"
                " again with --no-cache."
            )
        place += _HEADER.size + len(record) + _CHECKSUM.size
        yield record


@functools.cache
def example_class() -> Any:
    """The message class of `tf.train.Example`, made from its fields.

    It lives in a pool of its own, so that TensorFlow can register the same name beside it.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="example.proto", package="tensorflow", syntax="proto3"
    )
    for name, kind in (("BytesList", "BYTES"), ("FloatList", "FLOAT"), ("Int64List", "INT64")):
        _add(file, name, ("value", 1, kind, "REPEATED", ""))
    feature = _add(
        file,
        "Feature",
        ("bytes_list", 1, "MESSAGE", "OPTIONAL", ".tensorflow.BytesList"),
        ("float_list", 2, "MESSAGE", "OPTIONAL", ".tensorflow.FloatList"),
        ("int64_list", 3, "MESSAGE", "OPTIONAL", ".tensorflow.Int64List"),
    )
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    entry = ".tensorflow.Features.FeatureEntry"
    features = _add(file, "Features", ("feature", 1, "MESSAGE", "REPEATED", entry))
    nested = features.nested_type.add(name="FeatureEntry")
    nested.options.map_entry = True
    _add_fields(
        nested,
        ("key", 1, "STRING", "OPTIONAL", ""),
        ("value", 2, "MESSAGE", "OPTIONAL", ".tensorflow.Feature"),
    )
    _add(file, "Example", ("features", 1, "MESSAGE", "OPTIONAL", ".tensorflow.Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


Field = tuple[str, int, str, str, str]  # name, number, type, label, name of the message type


def _add(file: Any, name: str, *fields: Field) -> Any:
    message = file.message_type.add(name=name)
    _add_fields(message, *fields)
    return message


def _add_fields(message: Any, *fields: Field) -> None:
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, number, kind, label, type_name in fields:
        message.field.add(
            name=name,
            number=number,
            type=kinds.Type.Value(f"TYPE_{kind}"),
            label=kinds.Label.Value(f"LABEL_{label}"),
            type_name=type_name or None,
        )


def _read_record(file: BinaryIO, header: bytes) -> bytes | None:
    if len(header) < _HEADER.size:
        return None
    length, length_crc = _HEADER.unpack(header)
    if _masked_crc(header[:8]) != length_crc:
        return None
    record, checksum = file.read(length), file.read(_CHECKSUM.size)
    if len(record) < length or checksum != _CHECKSUM.pack(_masked_crc(record)):
        return None
    return record


def _masked_crc(data: bytes) -> int:
    crc = int(google_crc32c.value(data))
    # TensorFlow masks it, since a checksum of data that holds checksums would be weak.
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
