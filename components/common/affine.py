"""Affine maps from places in one photo to places in another.

Places are in pixels, x to the right and y down; whole numbers are the centres of pixels, so that a
photo reaches from -0.5 to its side - 0.5.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Affine(NamedTuple):
    """Takes (x, y) to (xx x + xy y + x0, yx x + yy y + y0).

    Plain numbers: for maps this small NumPy takes longer than the arithmetic.
    """

    xx: float = 1.0
    xy: float = 0.0
    x0: float = 0.0
    yx: float = 0.0
    yy: float = 1.0
    y0: float = 0.0

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        """Where a place goes."""
        return self.xx * x + self.xy * y + self.x0, self.yx * x + self.yy * y + self.y0

    def then(self, other: Affine) -> Affine:
        """The map that is `other` after this one."""
        x0, y0 = other(self.x0, self.y0)
        return Affine(
            xx=other.xx * self.xx + other.xy * self.yx,
            xy=other.xx * self.xy + other.xy * self.yy,
            x0=x0,
            yx=other.yx * self.xx + other.yy * self.yx,
            yy=other.yx * self.xy + other.yy * self.yy,
            y0=y0,
        )

    def inverse(self) -> Affine:
        """The map back."""
        determinant = self.xx * self.yy - self.xy * self.yx
        xx, xy = self.yy / determinant, -self.xy / determinant
        yx, yy = -self.yx / determinant, self.xx / determinant
        return Affine(xx, xy, -xx * self.x0 - xy * self.y0, yx, yy, -yx * self.x0 - yy * self.y0)

    def bounds(self, height: int, width: int) -> tuple[float, float, float, float]:
        """Least x, least y, greatest x and greatest y that the pixels of a photo go to."""
        right, down = width - 1, height - 1
        x_right, x_down = self.xx * right, self.xy * down
        y_right, y_down = self.yx * right, self.yy * down
        return (
            self.x0 + min(x_right, 0) + min(x_down, 0),
            self.y0 + min(y_right, 0) + min(y_down, 0),
            self.x0 + max(x_right, 0) + max(x_down, 0),
            self.y0 + max(y_right, 0) + max(y_down, 0),
        )

    def to_array(self) -> NDArray[np.float64]:
        """As OpenCV takes it, shape `(2, 3)`."""
        return np.array((self[:3], self[3:]), np.float64)


IDENTITY = Affine()


def scaling(factor_x: float, factor_y: float) -> Affine:
    """To a photo of more or fewer pixels, edge to edge.

    Args:
        factor_x: Pixels of that photo for each pixel of this one, along x.
        factor_y: The same, along y.
    """
    # Centres of pixels lie half a pixel inside the edges.
    return Affine(factor_x, 0.0, 0.5 * factor_x - 0.5, 0.0, factor_y, 0.5 * factor_y - 0.5)


def shifting(x: float, y: float) -> Affine:
    """By a distance in pixels."""
    return Affine(x0=x, y0=y)


def about_centre(inner: Affine, height: int, width: int) -> Affine:
    """The same map with the centre of a photo as its origin."""
    x, y = (width - 1) / 2, (height - 1) / 2
    there_x, there_y = inner(-x, -y)
    return inner._replace(x0=there_x + x, y0=there_y + y)
