"""Colours: of classes, of grey images, of marks on light and on dark backgrounds."""

from __future__ import annotations

__all__ = ["BLUE", "GREY", "ORANGE", "TEN_COLOURS", "VERMILION"]

# Grey images: small values are black, large ones white, as in photographs and on screens.
GREY = "gray"

# From Okabe and Ito's palette.
BLUE, ORANGE, SKY, VERMILION = "#0072B2", "#E69F00", "#56B4E9", "#D55E00"

# Ten colours whose least distance in OKLab is 0.114 for usual vision and 0.122 or more without red,
# green or blue cones, found by search with those of Okabe and Ito given. Their own seven colours
# come as close as 0.076, Tol's ten "muted" ones 0.052, matplotlib's ten "tab" ones 0.007.
TEN_COLOURS = (
    BLUE,
    ORANGE,
    "#994466",
    SKY,
    "#553333",
    "#CCDD99",
    VERMILION,
    "#223388",
    "#33EEFF",
    "#AA8899",
)
