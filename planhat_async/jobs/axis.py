"""The round numbers of a chart's scales: decisions only."""

from __future__ import annotations

import math

import attrs

MAX_STEPS = 5
_MINUTE, _HOUR = 60.0, 3600.0
_TIME_STEPS = (*(n * _MINUTE for n in (0.5, 1, 2, 5, 10, 20, 30)), *(n * _HOUR for n in (1, 2, 5)))
"""Between 20 seconds and 10 hours; below and above, steps of time are those of any number."""


@attrs.frozen
class Axis:
    """A scale from zero."""

    step: float
    n_steps: int

    @property
    def ticks(self) -> list[float]:
        """The numbers at which it has a mark."""
        return [n * self.step for n in range(self.n_steps + 1)]

    @property
    def end(self) -> float:
        """The last of them."""
        return self.n_steps * self.step


def axis_to(most: float, *, is_whole: bool = False) -> Axis:
    """The scale of at most five steps of 1, 2 or 5 times a power of ten that reaches `most`."""
    step = _round_step(max(most, 0.0) / MAX_STEPS)
    return _reaching(most, max(1.0, step) if is_whole else step)


def time_axis_to(most: float) -> Axis:
    """The scale of at most five steps of round times that reaches `most` seconds."""
    least = most / MAX_STEPS
    if least <= 20 or least > 5 * _HOUR:
        step = _round_step(least) if least <= 20 else _HOUR * _round_step(least / _HOUR)
        return _reaching(most, step)
    return _reaching(most, next(step for step in _TIME_STEPS if step >= least))


def time_labels(axis: Axis) -> list[str]:
    """The times of the marks, in one unit."""
    unit, name = (_HOUR, "h") if axis.step >= _HOUR else (_MINUTE, "min") if axis.step >= _MINUTE else (1.0, "s")
    return [f"{label} {name}" for label in number_labels(Axis(axis.step / unit, axis.n_steps))]


def number_labels(axis: Axis) -> list[str]:
    """The numbers of the marks, with as many decimal digits as the step has."""
    digits = max(0, -math.floor(math.log10(axis.step) + 1e-9))
    return [f"{tick:,.{digits}f}" for tick in axis.ticks]


def _round_step(least: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not below `least`."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= least)


def _reaching(most: float, step: float) -> Axis:
    return Axis(step, max(1, math.ceil(most / step - 1e-9)))
