"""Functions of the distance to a site that are integrated over its cell, by their names in pysdot.

With r the distance to the site and w its weight: 1, 1 inside the ball of radius sqrt(w), the
positive part of w - r^2, and r^2.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "RadialFunc",
    "RadialFuncArfd",
    "RadialFuncEntropy",
    "RadialFuncInBall",
    "RadialFuncPpWmR2",
    "RadialFuncR2",
    "RadialFuncUnit",
    "kind_of",
]

_KINDS = {
    "1": "unit",
    "in_ball(weight**0.5)": "ball",
    "pos_part(w-r**2)": "positive",
    "pos_part(w-r^2)": "positive",
    "r**2": "square",
    "r^2": "square",
}


def kind_of(function: Any) -> str:
    """Return which of the functions it is: "unit", "ball", "positive" or "square".

    Parameters
    ----------
    function : object with a method `name`
        As in pysdot; its name decides.

    Examples
    --------
    >>> from geomot.compat.pysdot.radial_funcs import RadialFuncR2, kind_of
    >>> kind_of(RadialFuncR2())
    'square'
    """
    name = function.name()
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise NotImplementedError(
            f"radial_func {name!r} has no exact integrals in geomot: use one of "
            f"{', '.join(map(repr, _KINDS))}"
        )
    return kind


class RadialFunc:
    """What pysdot asks of a function of the distance.

    Examples
    --------
    >>> from geomot.compat.pysdot.radial_funcs import RadialFunc, RadialFuncUnit
    >>> isinstance(RadialFuncUnit(), RadialFunc)
    True
    """

    s = "1"
    _free = False
    _ball = False

    def name(self) -> str:
        """Return the name of the function.

        Examples
        --------
        >>> from geomot.compat.pysdot.radial_funcs import RadialFuncInBall
        >>> RadialFuncInBall().name()
        'in_ball(weight**0.5)'
        """
        return self.s

    def need_rb_corr(self) -> bool:
        """Return whether weights are only determined up to a constant.

        Examples
        --------
        >>> from geomot.compat.pysdot.radial_funcs import RadialFuncUnit
        >>> RadialFuncUnit().need_rb_corr()
        True
        """
        return self._free

    def second_order_moment_name(self) -> str:
        """Return the name of the function times r^2.

        Examples
        --------
        >>> from geomot.compat.pysdot.radial_funcs import RadialFuncUnit
        >>> RadialFuncUnit().second_order_moment_name()
        'r^2'
        """
        return "r^2" if self.s == "1" else f"r^2*{self.s}"

    def ball_cut(self) -> bool:
        """Return whether cells end in balls.

        Examples
        --------
        >>> from geomot.compat.pysdot.radial_funcs import RadialFuncInBall
        >>> RadialFuncInBall().ball_cut()
        True
        """
        return self._ball


class RadialFuncUnit(RadialFunc):
    """1: integrals are the masses of the cells.

    Examples
    --------
    >>> from geomot.compat.pysdot.radial_funcs import RadialFuncUnit
    >>> RadialFuncUnit().name()
    '1'
    """

    _free = True


class RadialFuncInBall(RadialFunc):
    """1 in the ball of radius sqrt(w) around the site, else 0: partial transport.

    Examples
    --------
    >>> from geomot.compat.pysdot import PowerDiagram
    >>> from geomot.compat.pysdot.radial_funcs import RadialFuncInBall
    >>> PowerDiagram([[0.5, 0.5]], [0.04], None, RadialFuncInBall()).integrals().round(9).tolist()
    [0.125663706]
    """

    s = "in_ball(weight**0.5)"
    _ball = True


class RadialFuncPpWmR2(RadialFunc):
    """The positive part of w - r^2; geomot has its integrals, but not their derivatives.

    Examples
    --------
    >>> from geomot.compat.pysdot import PowerDiagram
    >>> from geomot.compat.pysdot.radial_funcs import RadialFuncPpWmR2
    >>> PowerDiagram([[0.5, 0.5]], [0.04], None, RadialFuncPpWmR2()).integrals().round(9).tolist()
    [0.002513274]
    """

    s = "pos_part(w-r**2)"
    _ball = True


class RadialFuncR2(RadialFunc):
    """The squared distance r^2: integrals are the costs of the cells.

    Parameters
    ----------
    eps : optional
        Not used; pysdot has it.

    Examples
    --------
    >>> from geomot.compat.pysdot import PowerDiagram
    >>> from geomot.compat.pysdot.radial_funcs import RadialFuncR2
    >>> PowerDiagram([[0.5, 0.5]], [0.0], None, RadialFuncR2()).integrals().round(9).tolist()
    [0.166666667]
    """

    s = "r**2"

    def __init__(self, eps: Any = None) -> None:
        self.eps = eps


class RadialFuncEntropy:
    """The function exp((w - r^2) / eps) of entropic transport, which geomot does not have.

    Parameters
    ----------
    eps : float
        The regularisation.

    Examples
    --------
    >>> from geomot.compat.pysdot.radial_funcs import RadialFuncEntropy
    >>> RadialFuncEntropy(0.1)
    Traceback (most recent call last):
    ...
    NotImplementedError: entropic transport is not supported: geomot solves without regularisation
    """

    def __init__(self, eps: Any) -> None:
        raise NotImplementedError(
            "entropic transport is not supported: geomot solves without regularisation"
        )


class RadialFuncArfd:
    """Any function of the distance, by polynomials, which geomot does not have.

    Parameters
    ----------
    *arguments, **options
        Those of pysdot.

    Examples
    --------
    >>> from geomot.compat.pysdot.radial_funcs import RadialFuncArfd
    >>> RadialFuncArfd([], [], [], [], [], [], [])
    Traceback (most recent call last):
    ...
    NotImplementedError: RadialFuncArfd is not supported: use RadialFuncUnit or RadialFuncInBall
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        raise NotImplementedError(
            "RadialFuncArfd is not supported: use RadialFuncUnit or RadialFuncInBall"
        )
