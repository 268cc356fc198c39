"""The differentiable W2^2: values, gradients, warm starts."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest

import geomot
from geomot import ConvergenceWarning

torch = pytest.importorskip("torch")

from geomot import losses  # noqa: E402
from geomot._warm_start import carried_weights  # noqa: E402
from geomot.losses import Wasserstein2, wasserstein2  # noqa: E402

HEXAGON = geomot.UniformPolygon.regular(6, [0.2, -0.1], 0.8)
OCTAHEDRON = geomot.UniformPolyhedron(np.vstack([np.eye(3), -np.eye(3)]))


def points(n, d=2, seed=0, **options):
    values = np.random.default_rng(seed).random((n, d))
    return torch.tensor(values, dtype=torch.float64, requires_grad=True, **options)


def gradient(loss, *tensors):
    return torch.autograd.grad(loss, tensors)


# ---- values and gradients ----


def test_value_and_gradient_are_those_of_the_solution():
    y = points(20)
    masses = np.random.default_rng(1).dirichlet(np.ones(20))
    loss = wasserstein2(y, HEXAGON, target_masses=masses)
    solution = geomot.solve(y.detach().numpy(), masses, HEXAGON)
    assert loss.shape == ()
    assert loss.item() == solution.cost
    (slope,) = gradient(loss, y)
    pull = 2.0 * masses[:, None] * (solution.sites - solution.diagram().centroids)
    assert np.array_equal(slope.numpy(), pull)
    # moving all sites by t changes W2^2 by 2 <t, mean of the sites - mean of the source>
    drift = 2.0 * (masses @ solution.sites - HEXAGON.mean)
    assert slope.sum(dim=0).numpy() == pytest.approx(drift, rel=1e-8)


IN_THE_PLANE = {
    "square": None,
    "hexagon": HEXAGON,
    "ring": geomot.UniformPolygon(
        [(0, 0), (1.5, 0), (1.5, 1.5), (0, 1.5)], holes=[[(0.5, 0.5), (1, 0.5), (1, 1), (0.5, 1)]]
    ),
    "image": geomot.GridDensity(np.random.default_rng(4).random((5, 4)) + 0.1),
    "image around": geomot.GridDensity(
        np.random.default_rng(4).random((5, 4)) + 0.1, periodic=True
    ),
    "gaussian": geomot.Gaussian([0.5, 0.2], [[1.0, 0.3], [0.3, 0.5]]),
}


@pytest.mark.parametrize("name", IN_THE_PLANE)
def test_gradients_against_finite_differences_in_the_plane(name):
    source = IN_THE_PLANE[name]
    y, logits = points(7), points(7, 1, seed=1)

    def loss(sites, numbers):
        masses = torch.softmax(4.0 * numbers[:, 0], 0)
        return wasserstein2(sites, source, target_masses=masses, tol=1e-11, threads=1)

    assert torch.autograd.gradcheck(loss, (y, logits), eps=1e-6, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize(
    "source", [None, geomot.Gaussian([0.3], 2.0)], ids=["interval", "gaussian"]
)
def test_gradients_against_finite_differences_on_the_line(source):
    y, logits = points(6, 1), points(6, 1, seed=1)

    def loss(sites, numbers):
        return wasserstein2(sites, source, target_masses=torch.softmax(numbers[:, 0], 0))

    assert torch.autograd.gradcheck(loss, (y, logits), eps=1e-6, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("source", [None, OCTAHEDRON], ids=["cube", "octahedron"])
def test_gradients_against_finite_differences_in_space(source):
    y, logits = points(5, 3), points(5, 1, seed=1)

    def loss(sites, numbers):
        masses = torch.softmax(2.0 * numbers[:, 0], 0)
        return wasserstein2(sites, source, target_masses=masses, tol=1e-11, threads=1)

    assert torch.autograd.gradcheck(loss, (y, logits), eps=1e-6, atol=1e-8, rtol=1e-6)


def test_closed_form_in_space():
    """A lattice in the cube: each cell is a cube, with its site where its centre is, or off it."""
    n, off = 3, 0.1
    centres = (np.stack(np.meshgrid(*[np.arange(n)] * 3), axis=-1).reshape(-1, 3) + 0.5) / n
    y = torch.tensor(centres + [off, 0.0, 0.0], requires_grad=True)
    loss = wasserstein2(y)
    (slope,) = gradient(loss, y)
    assert loss.item() == pytest.approx(1 / (4 * n * n) + off**2, rel=1e-12)
    np.testing.assert_allclose(slope, [[2 * off / n**3, 0.0, 0.0]] * n**3, atol=1e-14)


def test_gradient_of_masses_is_centred():
    y = points(9)
    masses = torch.full((9,), 1 / 9, dtype=torch.float64, requires_grad=True)
    (slope,) = gradient(wasserstein2(y, target_masses=masses), masses)
    weights = geomot.solve(y.detach().numpy()).weights
    assert slope.sum().item() == pytest.approx(0.0, abs=1e-14)
    assert slope.numpy() == pytest.approx(weights - weights.mean(), abs=1e-13)


def test_closed_form_on_the_line():
    """Sites at the quantile centres: W2^2 = sum of nu^3 / 12, and no gradient."""
    masses = np.array([0.1, 0.4, 0.2, 0.3])
    ends = np.cumsum(masses)
    y = torch.tensor((ends - masses / 2)[:, None], requires_grad=True)
    loss = wasserstein2(y, target_masses=masses)
    assert loss.item() == pytest.approx(np.sum(masses**3) / 12, rel=1e-13)
    assert gradient(loss, y)[0].abs().max() < 1e-15


def test_monte_carlo_gradients_in_five_dimensions():
    """Unbiased within their own spread: on symmetric problems the true ones are known.

    Sites +-a e_k, from a standard Gaussian: the cell of a e_k holds the x with x_k the largest of
    all |x_l|, whose mean is m e_k with m = E max |x_l|; W2^2 = d + a^2 - 2 a m.
    """
    d, a = 5, 0.7
    sites = np.concatenate([a * np.eye(d), -a * np.eye(d)])
    x = np.abs(np.random.default_rng(123).standard_normal((1_000_000, d))).max(axis=1)
    m, m_error = x.mean(), x.std() / 1000.0
    values, slopes = [], []
    for seed in range(12):
        y = torch.tensor(sites, requires_grad=True)
        loss = wasserstein2(y, geomot.Gaussian(np.zeros(d), 1.0), tol=0.03, random_state=seed)
        values.append(loss.item())
        slopes.append(gradient(loss, y)[0].numpy())
    error = np.std(values, ddof=1) / np.sqrt(12) + 2 * a * m_error
    assert abs(np.mean(values) - (d + a * a - 2 * a * m)) < 5 * error
    true = 2.0 / (2 * d) * (sites - sites / a * m)
    spread = np.std(slopes, axis=0, ddof=1) / np.sqrt(12) + m_error / d
    deviations = (np.mean(slopes, axis=0) - true) / spread
    # 50 numbers of Student's distribution with 11 degrees of freedom
    assert np.abs(deviations).max() < 6.0
    assert np.mean(deviations**2) < 2.5
    assert spread.max() < 0.05 * np.abs(true).max()


def test_monte_carlo_agrees_with_the_exact_method():
    y = points(30)
    exact = gradient(wasserstein2(y), y)[0]
    loss = wasserstein2(y, method="montecarlo", tol=0.02, random_state=0)
    (slope,) = gradient(loss, y)
    assert loss.item() == pytest.approx(wasserstein2(y).item(), rel=0.03)
    assert (slope - exact).norm() < 0.1 * exact.norm()
    assert loss == wasserstein2(y, method="montecarlo", tol=0.02, random_state=0)


# ---- what tensors may be ----


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtypes(dtype):
    y = points(10).detach().to(dtype).requires_grad_()
    masses = torch.full((10,), 0.1, dtype=torch.float64, requires_grad=True)
    loss = wasserstein2(y, target_masses=masses)
    assert loss.dtype == dtype
    slopes = gradient(loss, y, masses)
    assert [slope.dtype for slope in slopes] == [dtype, torch.float64]
    assert slopes[0].shape == y.shape
    exact = y.detach().double().requires_grad_()
    (slope,) = gradient(wasserstein2(exact), exact)
    assert torch.equal(slopes[0], slope.to(dtype))


def test_any_layout_and_graph():
    """Strided sites that come out of other operations, and a loss that goes into others."""
    base = points(2, 10)
    (slope,) = gradient(3.0 * wasserstein2((2.0 * base).T).sqrt(), base)
    y = (2.0 * base).detach().T.contiguous().requires_grad_()
    loss = wasserstein2(y)
    (plain,) = gradient(loss, y)
    assert torch.allclose(slope, plain.T * 2.0 * 3.0 / (2.0 * loss.sqrt()), rtol=1e-12)


def test_without_gradients():
    y = points(5)
    assert not wasserstein2(y.detach()).requires_grad
    with torch.no_grad():
        assert not wasserstein2(y).requires_grad
    before = y.detach().clone()
    wasserstein2(y).backward()
    assert torch.equal(before, y)
    masses = torch.full((5,), 0.2, dtype=torch.float64, requires_grad=True)
    (slope,) = gradient(wasserstein2(y.detach(), target_masses=masses), masses)
    assert slope.shape == (5,)


def test_no_second_derivatives():
    y = points(5)
    masses = torch.full((5,), 0.2, dtype=torch.float64, requires_grad=True)
    for variable in (y, masses):
        (slope,) = torch.autograd.grad(
            wasserstein2(y, target_masses=masses), variable, create_graph=True
        )
        assert slope.requires_grad
        with pytest.raises(RuntimeError, match="wasserstein2 can be differentiated once"):
            slope.square().sum().backward()


def test_coincident_sites_and_sites_without_mass():
    y = torch.tensor(
        [[0.2, 0.5], [0.8, 0.4], [0.2, 0.5], [0.5, 0.5]], dtype=torch.float64, requires_grad=True
    )
    masses = np.array([0.1, 0.6, 0.3, 0.0])
    (slope,) = gradient(wasserstein2(y, target_masses=masses), y)
    merged = y.detach()[:2].clone().requires_grad_()
    (whole,) = gradient(wasserstein2(merged, target_masses=[0.4, 0.6]), merged)
    assert torch.allclose(slope[0], 0.25 * whole[0], rtol=1e-8)
    assert torch.allclose(slope[2], 0.75 * whole[0], rtol=1e-8)
    assert torch.allclose(slope[1], whole[1], rtol=1e-8)
    assert torch.equal(slope[3], torch.zeros(2, dtype=torch.float64))
    line = torch.tensor([[0.3], [0.3], [0.9]], dtype=torch.float64, requires_grad=True)
    (slope,) = gradient(wasserstein2(line), line)
    assert slope[0] == slope[1] != 0.0


# ---- warm starts ----


def descend(loss, y, steps, rate=0.1):
    """Small steps of Lloyd's method; iterations and values."""
    y, n_iter, values = y.detach().clone(), [], []
    for _ in range(steps):
        y.requires_grad_()
        value = loss(y)
        (slope,) = gradient(value, y)
        n_iter.append(loss.solution.n_iter)
        values.append(value.item())
        y = (y - rate * len(y) / 2 * slope).detach()
    return n_iter, values


def test_warm_start_saves_steps_and_changes_nothing_else():
    y = points(200)
    warm_iter, warm_values = descend(Wasserstein2(tol=1e-8), y, 6)
    cold_iter, cold_values = descend(_Forgetful(), y, 6)
    assert warm_values == pytest.approx(cold_values, rel=1e-7)
    assert warm_iter[0] == cold_iter[0]
    assert sum(warm_iter[1:]) < 0.85 * sum(cold_iter[1:])


class _Forgetful(Wasserstein2):
    def __init__(self):
        super().__init__(tol=1e-8)

    def forward(self, sites):
        self.reset()
        return super().forward(sites)


@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0])
def test_potential_is_carried_exactly(scale):
    """For sites that are scaled and shifted as a whole, the warm start is the solution."""
    y = points(50)
    loss = Wasserstein2(HEXAGON)
    loss(y)
    moved = (scale * y + torch.tensor([5.0, -2.0])).detach()
    start = carried_weights(loss.solution, moved.numpy())
    solution = geomot.solve(moved.numpy(), source=HEXAGON)
    assert np.ptp(start.sum(axis=1) - solution.weights) < 1e-9
    loss(moved)
    assert loss.solution.n_iter <= 1


def test_first_order_of_what_is_carried():
    """Beyond scale and shift the error is of the order of the motion, not of the cells."""
    rng = np.random.default_rng(0)
    y, motion = rng.random((40, 2)), rng.standard_normal((40, 2))
    solution = geomot.solve(y, tol=1e-12)
    error = {}
    for size in (1e-3, 1e-5):
        moved = y + size * motion
        start = carried_weights(solution, moved).sum(axis=1)
        error[size] = np.ptp(start - geomot.solve(moved, tol=1e-12).weights)
        kept = np.ptp(solution.weights - geomot.solve(moved, tol=1e-12).weights)
        assert error[size] < kept
    assert error[1e-5] < 0.02 * error[1e-3]


def test_any_start_leads_to_the_solution():
    """Far moves, sites turned round, and weights that empty most cells."""
    y = points(60)
    solution = geomot.solve(y.detach().numpy())
    rng = np.random.default_rng(0)
    for moved in (
        -y.detach().numpy(),
        1000.0 * rng.standard_normal((60, 2)),
        np.repeat(y.detach().numpy()[:30], 2, axis=0) + 1e-9 * rng.standard_normal((60, 2)),
    ):
        sites = torch.tensor(moved, requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warm, cold = wasserstein2(sites, warm_start=solution), wasserstein2(sites)
        assert warm.item() == pytest.approx(cold.item(), rel=1e-9)
        assert torch.allclose(*(gradient(v, sites)[0] for v in (warm, cold)), rtol=1e-6)
    for start in (solution.weights, solution.weights_exact, 1e3 * rng.standard_normal(60)):
        value = wasserstein2(y, warm_start=start).item()
        assert value == pytest.approx(solution.cost, rel=1e-9)


def test_stalled_start_is_replaced(monkeypatch):
    """If Newton's method finds no way from the start, the usual start is taken, silently."""
    y = points(20)
    calls = []

    def stubborn(*arguments, initial_weights=None, **options):
        calls.append(initial_weights is not None)
        if initial_weights is not None:
            options["max_iter"] = 0
        return geomot.solve(*arguments, initial_weights=initial_weights, **options)

    monkeypatch.setattr(losses, "solve", stubborn)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = wasserstein2(y, warm_start=np.zeros(20))
    assert calls == [True, False]
    assert value.item() == geomot.solve(y.detach().numpy()).cost


def test_other_numbers_of_sites_start_cold():
    loss = Wasserstein2()
    loss(points(10))
    assert loss(points(12)).item() == wasserstein2(points(12)).item()
    assert loss(points(12, 1)).item() == wasserstein2(points(12, 1)).item()
    assert loss(points(12, 1)[:1]).item() == wasserstein2(points(12, 1)[:1]).item()


def test_monte_carlo_starts_warm():
    source = geomot.Gaussian(np.zeros(4), 1.0)
    loss = Wasserstein2(source, tol=0.05, random_state=0)
    y = torch.tensor(np.random.default_rng(0).standard_normal((40, 4)), requires_grad=True)
    values = [loss(y).item() for _ in range(3)]
    assert len(set(values)) == 3  # fresh samples each time
    first = loss.solution
    assert loss(y - 0.01 * gradient(loss(y), y)[0]).item() < 1.05 * values[0]
    again = Wasserstein2(source, tol=0.05, random_state=0)
    assert [again(y).item() for _ in range(3)] == values
    assert first.converged


# ---- the module ----


def test_module_is_a_module():
    masses = torch.softmax(torch.arange(6.0), 0)
    loss = Wasserstein2(HEXAGON, target_masses=masses)
    assert isinstance(loss, torch.nn.Module)
    assert list(loss.parameters()) == []
    assert loss.state_dict() == {}
    y = points(6)
    assert loss(y).item() == wasserstein2(y, HEXAGON, target_masses=masses).item()
    assert loss(y, np.full(6, 1 / 6)).item() == pytest.approx(wasserstein2(y, HEXAGON).item())
    assert "UniformPolygon" in repr(loss)
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert other.solution == loss.solution
        value = wasserstein2(y, HEXAGON, target_masses=masses).item()
        assert other(y).item() == pytest.approx(value, rel=1e-9)
    loss.reset()
    assert loss.solution is None


def test_training_a_map():
    """A linear map is pulled towards the source: mean and spread of a disk."""
    disk = geomot.UniformPolygon.regular(64, [1.0, 2.0], 2.0)
    noise = torch.tensor(np.random.default_rng(0).standard_normal((60, 2)))
    layer = torch.nn.Linear(2, 2).double()
    torch.nn.init.eye_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.15)
    loss = Wasserstein2(disk, tol=1e-4, threads=1)
    for _ in range(40):
        optimizer.zero_grad()
        value = loss(layer(noise))
        value.backward()
        optimizer.step()
    image = layer(noise).detach()
    assert torch.allclose(image.mean(dim=0), torch.tensor([1.0, 2.0]).double(), atol=0.2)
    assert image.var(dim=0).sum() == pytest.approx(2.0, rel=0.25)


# ---- what is refused, what warns ----


def test_unconverged_solves_warn(monkeypatch):
    y = points(50)
    with pytest.warns(ConvergenceWarning):
        wasserstein2(y, tol=1e-18)
    source = geomot.Samples(np.zeros((1, 1)))
    y = points(3, 1)
    with pytest.warns(ConvergenceWarning, match="split between cells"):
        loss = wasserstein2(y, source)
    assert torch.isfinite(gradient(loss, y)[0]).all()
    y = points(30, 4)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        monkeypatch.setattr("geomot._sampling.solve.LEAST_LIMIT", 2)
        monkeypatch.setattr("geomot._sampling.solve.FIT_CAP", 0.0)
        wasserstein2(y, tol=0.001, warm_start=np.zeros(30))


def test_bad_input():
    y = points(5)
    for bad, message in [
        (y.detach().numpy(), "sites must be a floating-point tensor, got ndarray"),
        (torch.ones(3, 2, dtype=torch.int64), "sites must be a floating-point tensor, got torch.i"),
        (torch.ones(3, 2, dtype=torch.complex64), "sites must be a floating-point tensor"),
    ]:
        with pytest.raises(TypeError, match=message):
            wasserstein2(bad)
        with pytest.raises(TypeError, match=message):
            Wasserstein2()(bad)
    with pytest.raises(ValueError, match=r"sites must have shape \(n, d\)"):
        wasserstein2(y[0])
    with pytest.raises(ValueError, match="sites must be finite, got nan"):
        wasserstein2(y * float("nan"))
    with pytest.raises(ValueError, match="target_masses must sum to 1"):
        wasserstein2(y, target_masses=torch.ones(5))
    with pytest.raises(TypeError, match="target_masses must be a floating-point tensor"):
        wasserstein2(y, target_masses=torch.ones(5, dtype=torch.int32))
    with pytest.raises(ValueError, match=r"warm_start must have shape \(5,\)"):
        wasserstein2(y, warm_start=np.zeros(4))
    with pytest.raises(ValueError, match="warm_start must be a solution for 5 sites"):
        wasserstein2(y, warm_start=geomot.solve([[0.5, 0.5]]))
    with pytest.raises(TypeError, match="random_state must be"):
        Wasserstein2(random_state="seed")


def test_without_torch(monkeypatch):
    monkeypatch.setattr(losses, "torch", None)
    for function in (Wasserstein2, lambda: wasserstein2(np.zeros((2, 2)))):
        with pytest.raises(ImportError, match=r"geomot\[torch\]"):
            function()


# ---- torch.compile, torch.func, low precision ----


def test_compiled_functions_break_their_graph():
    """The solver's numpy was traced, and failed for want of a long double."""
    loss = Wasserstein2(HEXAGON)
    for function in (lambda y: 2.0 * wasserstein2(y, HEXAGON) + y.sum(), lambda y: loss(y) ** 2):
        y, z = points(20), points(20)
        value, expected = torch.compile(function, backend="eager")(y), function(z)
        assert value.item() == expected.item()
        np.testing.assert_array_equal(gradient(value, y)[0], gradient(expected, z)[0])


def test_transforms_of_functions_are_refused():
    y = points(20).detach()
    for transform in (torch.func.grad, torch.func.jacrev, torch.func.hessian):
        with pytest.raises(RuntimeError, match="needs tensors with values.* torch.autograd.grad"):
            transform(wasserstein2)(y)
    with pytest.raises(RuntimeError, match="a loop in place of vmap"):
        torch.func.vmap(wasserstein2)(torch.stack([y, y]))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(y, torch.ones_like(y))
        with pytest.raises(RuntimeError, match="no forward-mode derivative"):
            wasserstein2(dual)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_masses_of_few_digits_are_divided_by_their_sum(dtype):
    for n in (3, 20, 1000):
        y = torch.tensor(np.random.default_rng(n).random((n, 2)), dtype=dtype)
        logits = torch.tensor(np.random.default_rng(0).standard_normal(n), dtype=dtype)
        for masses in (torch.full((n,), 1.0 / n, dtype=dtype), torch.softmax(logits, 0)):
            masses.requires_grad_()
            exact = masses.detach().to(torch.float64)
            value = wasserstein2(y, None, target_masses=masses, tol=1e-6)
            assert value.dtype == dtype
            expected = wasserstein2(
                y.double(), None, target_masses=exact / exact.sum(), tol=1e-6
            ).item()
            assert value.item() == pytest.approx(expected, rel=torch.finfo(dtype).eps)
            assert gradient(value, masses)[0].dtype == dtype
    with pytest.raises(ValueError, match="target_masses must sum to 1"):
        wasserstein2(y, None, target_masses=torch.full((1000,), 1.05e-3, dtype=dtype))
