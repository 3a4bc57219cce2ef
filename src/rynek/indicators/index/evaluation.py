"""An index from its specification: scores, ranks, how sure they are, and what drives them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.indicators.arrays import Array, Floats
from rynek.indicators.index.audit import audit
from rynek.indicators.index.montecarlo import Ranks, evaluate, monte_carlo, shifts, variant_at
from rynek.indicators.index.quantities import Matrix, read_matrix
from rynek.indicators.index.ranks import descending
from rynek.indicators.index.regions import Shrunk, region_means, shrink
from rynek.indicators.index.sobol import Indices, design, indices
from rynek.indicators.index.specification import Specification
from rynek.indicators.index.variants import FACTORS, Machine, Variant

__all__ = ["Index", "Reference", "Sensitivity", "evaluate_index", "index_of"]

_STREAM_DRAWS: Final = 5
_MAX_OUTPUTS: Final = 20_000_000


@dataclass(frozen=True)
class Reference:
    """The specification's own choices without errors: `scores` and `ranks` of units; of regions
    their plain means, the variances of those and the shrunken means with their ranks."""

    scores: Array
    ranks: Array
    region_means: Array
    region_variances: Array
    shrunk: Shrunk
    region_ranks: Array
    weights: Array


@dataclass(frozen=True)
class Sensitivity:
    """Sobol's indices of the mean rank shift, of each unit's rank and of each region's, with the
    factors (of FACTORS) in the order of their rows."""

    factors: tuple[str, ...]
    shift: Indices
    units: Indices
    regions: Indices
    evaluations: int


@dataclass(frozen=True)
class Index:
    """What came out. `ranks` are None without runs; `drawn` are means of regions (variants ×
    regions) with what their cities leave open drawn in; `shift` each variant's mean rank shift."""

    spec: Specification
    matrix: Matrix
    machine: Machine
    reference: Reference
    ranks: Ranks | None
    drawn: Array | None
    shift: Array | None
    sensitivity: Sensitivity | None
    audit: dict[str, Any]


def evaluate_index(spec: Specification, folder: Path) -> Index:
    """The index that `spec` asks for, of the table beside it in `folder`. BadRequestData."""
    return index_of(spec, read_matrix(spec, folder))


def index_of(spec: Specification, matrix: Matrix) -> Index:
    """The same of a matrix that was read."""
    machine = Machine(spec, matrix)
    reference = _reference(machine)
    fast = Machine(spec, matrix, np.float32)
    ranks = drawn = shift = None
    if spec.runs:
        ranks = monte_carlo(fast, spec.runs, spec.seed)
        shift = shifts(ranks.units, reference.ranks)
        random = np.random.default_rng([spec.seed, _STREAM_DRAWS])
        drawn = random.normal(ranks.region_means, np.sqrt(ranks.region_variances))
    names = [one.id for one in spec.indicators]
    return Index(
        spec=spec,
        matrix=matrix,
        machine=machine,
        reference=reference,
        ranks=ranks,
        drawn=drawn,
        shift=shift,
        sensitivity=_sensitivity(fast, reference),
        audit=audit(names, np.asarray(machine.treated(Variant())), reference.scores),
    )


def _reference(machine: Machine) -> Reference:
    matrix = machine.matrix
    scores = np.asarray(machine.scores(Variant()), dtype=np.float64)
    many = len(matrix.groups)
    means, variances = region_means(scores, matrix.group, max(many, 1), matrix.group_weight)
    means, variances = means[:many], variances[:many]
    there = ~np.isnan(means)
    found = [np.full(many, np.nan) for _ in range(3)]
    if there.any():
        shrunk = shrink(means[None, there], variances[None, there])
        for whole, part in zip(found, (shrunk.mean, shrunk.variance, shrunk.factor), strict=True):
            whole[there] = part[0]
    ranks = np.full(many, np.nan)
    ranks[there] = descending(found[0][there])
    return Reference(
        scores=scores,
        ranks=descending(scores),
        region_means=means,
        region_variances=variances,
        shrunk=Shrunk(*found),
        region_ranks=ranks,
        weights=machine.weights(Variant()),
    )


def _sensitivity(machine: Machine, reference: Reference) -> Sensitivity | None:
    """A grid of variants by Saltelli's scheme: what is not in it (a factor without alternatives)
    keeps its one value."""
    active = machine.active()
    how = machine.spec.sensitivity
    if not how.samples or not active:
        return None
    units = len(machine.matrix.units)
    if how.samples * units > _MAX_OUTPUTS:
        raise BadRequestData(
            f"sensitivity.samples: {how.samples} of {units} units are {how.samples * units:,}"
            f" ranks; at most {_MAX_OUTPUTS:,} are analysed: ask for fewer samples, or 0"
        )
    at_a, at_b = design(how.samples, len(FACTORS), machine.spec.seed)
    weights, noise = FACTORS.index("weights"), FACTORS.index("errors")

    def mixed(n: int) -> Floats:
        factor = FACTORS.index(active[n])
        where = at_a.copy()
        where[:, factor] = at_b[:, factor]
        return _outputs(machine, reference, where, int(factor == weights), int(factor == noise))

    found = indices(
        _outputs(machine, reference, at_a, 0, 0),
        _outputs(machine, reference, at_b, 1, 1),
        mixed,
        len(active),
        how.resamples,
        machine.spec.seed,
    )
    return Sensitivity(
        factors=active,
        shift=_part(found, slice(0, 1)),
        units=_part(found, slice(1, units + 1)),
        regions=_part(found, slice(units + 1, None)),
        evaluations=how.samples * (len(active) + 2),
    )


def _outputs(
    machine: Machine, reference: Reference, where: Array, weights_of: int, noise_of: int
) -> Floats:
    """The mean rank shift, then ranks of units and of regions, of the variants at the rows of
    `where`; their weights' and noise's random numbers are those of matrix A (0) or B (1)."""
    seed = machine.spec.seed
    ranks = evaluate(
        machine,
        [
            variant_at(machine, point, (seed, 3, weights_of, row), (seed, 4, noise_of, row))
            for row, point in enumerate(where)
        ],
    )
    shift = shifts(ranks.units, reference.ranks)[:, None]
    return np.hstack([shift, ranks.units, np.nan_to_num(ranks.regions)]).astype(np.float32)


def _part(found: Indices, columns: slice) -> Indices:
    return Indices(
        found.first[:, columns],
        found.total[:, columns],
        found.first_half[:, columns],
        found.total_half[:, columns],
    )
