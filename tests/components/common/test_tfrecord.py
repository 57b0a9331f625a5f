import io

import pytest

from components.common.errors import DataError
from components.common.tfrecord import example_class, frame, read_records


def test_tensorflow_reads_what_we_write_and_we_read_what_it_writes(tmp_path):
    import tensorflow as tf

    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    records = [b"", b"a", b"b" * 100_000]
    ours.write_bytes(b"".join(map(frame, records)))
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for record in records:
            writer.write(record)

    assert ours.read_bytes() == theirs.read_bytes()
    assert list(tf.data.TFRecordDataset(str(ours)).as_numpy_iterator()) == records
    with theirs.open("rb") as file:
        assert list(read_records(file, "theirs")) == records


def test_our_examples_are_those_of_tensorflow():
    import tensorflow as tf

    ours = example_class()()
    ours.features.feature["words"].bytes_list.value.extend([b"x", b"yz"])
    ours.features.feature["numbers"].int64_list.value.extend([1, -2, 2**40])
    ours.features.feature["shares"].float_list.value.append(0.5)

    theirs = tf.train.Example.FromString(ours.SerializeToString())

    feature = theirs.features.feature
    assert list(feature["words"].bytes_list.value) == [b"x", b"yz"]
    assert list(feature["numbers"].int64_list.value) == [1, -2, 2**40]
    assert list(feature["shares"].float_list.value) == [0.5]
    assert theirs.SerializeToString(deterministic=True) == ours.SerializeToString(
        deterministic=True
    )


@pytest.mark.parametrize("kept", [1, 11, 12, 13, 20])
def test_a_file_that_is_cut_short_is_refused(kept):
    cut = frame(b"12345")[:kept]  # of 8 + 4 + 5 + 4 bytes

    with pytest.raises(DataError, match="'cut' holds a damaged record at byte 0"):
        list(read_records(io.BytesIO(cut), "cut"))


@pytest.mark.parametrize("place", range(21))
def test_a_flipped_bit_anywhere_is_refused(place):
    flipped = bytearray(frame(b"12345"))
    flipped[place] ^= 1

    with pytest.raises(DataError, match="'flipped' holds a damaged record at byte 0"):
        list(read_records(io.BytesIO(flipped), "flipped"))


def test_a_damaged_record_is_found_at_its_byte():
    records = io.BytesIO(frame(b"12345") + frame(b"6")[:-1])  # 21 bytes, then one too few

    found = read_records(records, "two")

    assert next(found) == b"12345"
    with pytest.raises(DataError, match="'two' holds a damaged record at byte 21"):
        next(found)
