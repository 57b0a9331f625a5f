import tensorflow as tf

from components.train.loop.tensorboard import Scalars, write_picture


def read(folder):
    """(tag, step, value) of each event, by the reader that TensorFlow has."""
    found = []
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for shown in event.summary.value:
                value = shown.image.encoded_image_string or round(shown.simple_value, 4)
                found.append((shown.tag, event.step, value))
    return found


def test_training_and_validation_have_a_folder_each_and_one_name_for_one_thing(tmp_path):
    scalars = Scalars(tmp_path)

    scalars.write({"loss": [0.5], "val_loss": [0.75]})
    scalars.write({"loss": [0.5, 0.25], "val_loss": [0.75, 0.5]})

    assert read(tmp_path / "training") == [("loss", 1, 0.5), ("loss", 2, 0.25)]
    assert read(tmp_path / "validation") == [("loss", 1, 0.75), ("loss", 2, 0.5)]


def test_what_is_written_can_be_read_while_training_goes_on(tmp_path):
    scalars = Scalars(tmp_path)  # still open

    scalars.write({"loss": [0.5, 0.25, 0.125]})

    assert len(read(tmp_path / "training")) == 3


def test_picture_is_kept_as_it_is(tmp_path):
    write_picture(tmp_path, "worst", b"\x89PNG")

    assert read(tmp_path) == [("worst", 0, b"\x89PNG")]
