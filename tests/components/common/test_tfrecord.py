import io

import pytest

from components.common.errors import DataError
from components.common.tfrecord import example_class, read_records, write_record


def test_tensorflow_reads_what_we_write_and_we_read_what_it_writes(tmp_path):
    import tensorflow as tf

    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    records = [b"", b"a", b"b" * 100_000]
    with ours.open("wb") as file:
        for record in records:
            write_record(file, record)
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for record in records:
            writer.write(record)

    assert ours.read_bytes() == theirs.read_bytes()
    assert list(tf.data.TFRecordDataset(str(ours)).as_numpy_iterator()) == records
    assert list(read_records(theirs)) == records


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
def test_a_file_that_is_cut_short_is_refused(tmp_path, kept):
    file = io.BytesIO()
    write_record(file, b"12345")  # 8 + 4 + 5 + 4 bytes
    (tmp_path / "cut").write_bytes(file.getvalue()[:kept])

    with pytest.raises(DataError, match="holds a damaged record"):
        list(read_records(tmp_path / "cut"))


@pytest.mark.parametrize("place", range(21))
def test_a_flipped_bit_anywhere_is_refused(tmp_path, place):
    file = io.BytesIO()
    write_record(file, b"12345")
    content = bytearray(file.getvalue())
    content[place] ^= 1
    (tmp_path / "flipped").write_bytes(content)

    with pytest.raises(DataError, match="holds a damaged record"):
        list(read_records(tmp_path / "flipped"))
