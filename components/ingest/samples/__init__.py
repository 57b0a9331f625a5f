"""Built-in sample datasets, drawn from a seed: they need no internet and are the same everywhere.

Shape tells the classes apart; colour, pose, light, size and background overlap by design. Here are
names only, so that a machine that draws nothing can speak of them; `render` draws.
"""

CLASSES: dict[str, tuple[str, ...]] = {
    "flowers": ("daisy", "dandelion", "rose", "sunflower", "tulip"),
    "pets": ("cat", "dog"),
}
# two classes give fewer photos in all, and heads are harder than flowers
DEFAULT_PHOTOS_PER_CLASS: dict[str, int] = {"flowers": 300, "pets": 500}
