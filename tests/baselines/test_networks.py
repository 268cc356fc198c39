"""Networks: sizes, initial weights, explicit gradients."""

from __future__ import annotations

import numpy as np
import pytest
from small_baselines import data, make, normal_tensor

torch = pytest.importorskip("torch")


def test_channels_halve_images_down_to_a_few_pixels():
    from geomot.baselines._networks import automatic_channels

    for side, count in (
        (1, 1),
        (4, 1),
        (8, 1),
        (9, 1),
        (10, 2),
        (16, 2),
        (19, 2),
        (20, 3),
        (28, 3),
    ):
        assert len(automatic_channels((1, side, 3))) == count
    model = make("VAE", architecture="conv", channels=None, max_steps=1).fit(data((1, 17, 17)))
    assert model.networks_["decoder"][3].unflattened_size == (64, 4, 4)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "silu", "softplus"])
@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("shape", [(3,), (2, 7, 6)])
def test_explicit_gradients_are_those_of_torch(activation, timed, shape):
    from geomot.baselines._networks import Field, gradient, initialise, scalar

    channels = (3, 4) if len(shape) == 3 else ()
    network = scalar(shape, (5, 4), channels, activation, timed=timed, kernel=3).double()
    initialise(network, np.random.default_rng(1))
    field, points = Field(network), [normal_tensor(6, *shape)]
    if timed:
        points.append(torch.linspace(0.0, 1.0, 6, dtype=torch.float64))

    def both(function):
        grads = gradient(function, *points, create_graph=True)
        square = sum(grad.square().sum() for grad in grads)
        # a bias may have no part in the gradient
        second = torch.autograd.grad(
            square, list(network.parameters()), allow_unused=True, materialize_grads=True
        )
        return [*grads, *second]

    for ours, theirs in zip(both(field), both(lambda *p: field(*p)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    assert not any(grad.requires_grad for grad in gradient(field, *points))


@pytest.mark.parametrize("sides", [(1, 1), (2, 1), (3, 2), (7, 6), (28, 28)])
@pytest.mark.parametrize("channels", [(), (3,), (3, 4, 5)])
def test_decoders_mirror_encoders(sides, channels):
    from geomot.baselines._networks import initialise
    from geomot.latent._layers import decoder, encoder

    shape = (2, *sides)
    rng = np.random.default_rng(0)
    first = encoder(shape, 5, (4,), channels, "silu")
    second = decoder(5, shape, (4,), channels, "silu")
    for network in (first, second):
        initialise(network, rng)
    images = normal_tensor(3, *shape).float()
    assert first(images).shape == (3, 5)
    assert second(first(images)).shape == images.shape


@pytest.mark.parametrize("kind", ["uniform", "glorot"])
def test_initial_weights_keep_the_scale_of_signals(kind):
    from geomot.baselines._networks import initialise

    rng = np.random.default_rng(0)
    one = torch.nn.ConvTranspose2d(16, 8, 4, 2, 1)
    initialise(one, rng, kind)
    inputs, outputs = 16 * 4 * 4 / 4, 8 * 4 * 4
    variance = 1.0 / (3.0 * inputs) if kind == "uniform" else 2.0 / (inputs + outputs)
    assert one.weight.var().item() == pytest.approx(variance, rel=0.1)
    assert bool((one.bias == 0.0).all()) == (kind == "glorot")
