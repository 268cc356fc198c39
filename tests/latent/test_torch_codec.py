"""Modules of torch as codecs: their shapes, modes, devices and precisions."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from geomot.latent import PCACodec, TorchCodec
from geomot.latent.torch_codec import as_codec

torch = pytest.importorskip("torch")
nn = torch.nn

IMAGES = np.random.default_rng(0).random((11, 8, 8)).astype(np.float32)
VECTORS = np.random.default_rng(1).standard_normal((11, 6))


def seeded(module):
    stream = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=stream).mul_(0.3)
    return module


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Linear(6, 2), nn.Linear(2, 6)
        seeded(self)

    def encode(self, x):
        return self.down(x)

    def decode(self, z):
        return self.up(z)


class Convolved(nn.Module):
    """Dropout and batch norm tell training from evaluation."""

    def __init__(self, channels=1):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(channels, 3, 4, 4), nn.BatchNorm2d(3), nn.Dropout(0.5))
        self.up = nn.Sequential(nn.Dropout(0.5), nn.ConvTranspose2d(3, channels, 4, 4))
        seeded(self)

    def encode(self, x):
        return self.down(x)

    def decode(self, z):
        return self.up(z)


# What follows has the interface of diffusers' AutoencoderKL: encode(x).latent_dist and
# decode(z).sample, or tuples with return_dict=False, on images from -1 to 1.


class DiagonalGaussian:
    def __init__(self, parameters):
        self.mean, self.logvar = parameters.chunk(2, dim=1)

    def sample(self, generator=None):
        return self.mean + torch.exp(0.5 * self.logvar) * torch.randn_like(self.mean)

    def mode(self):
        return self.mean


@dataclass
class AutoencoderOutput:
    latent_dist: Any


@dataclass
class DecoderOutput:
    sample: Any


class KLAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.GroupNorm(4, 8), nn.SiLU(), nn.Conv2d(8, 8, 3, 2, 1)
        )
        self.quant_conv = nn.Conv2d(8, 8, 1)
        self.post_quant_conv = nn.Conv2d(4, 8, 1)
        self.decoder = nn.Sequential(
            nn.Upsample(scale_factor=4),
            nn.Conv2d(8, 8, 3, 1, 1),
            nn.SiLU(),
            nn.Conv2d(8, 3, 3, 1, 1),
        )
        self.seen = []
        seeded(self)

    def encode(self, x, return_dict=True):
        self.seen.append((float(x.min()), float(x.max())))
        posterior = DiagonalGaussian(self.quant_conv(self.encoder(x)))
        return AutoencoderOutput(posterior) if return_dict else (posterior,)

    def decode(self, z, return_dict=True, generator=None):
        found = self.decoder(self.post_quant_conv(z))
        return DecoderOutput(found) if return_dict else (found,)


def numpy_of(tensor):
    return tensor.detach().double().numpy()


def test_a_module_of_vectors():
    module = Dense()
    codec = TorchCodec(module, batch_size=4)
    codes = codec.encode(VECTORS)
    assert codes.dtype == np.float64
    given = torch.as_tensor(VECTORS, dtype=torch.float32)
    np.testing.assert_allclose(codes, numpy_of(module.encode(given)), rtol=1e-6)
    decoded = numpy_of(module.decode(torch.as_tensor(codes, dtype=torch.float32)))
    np.testing.assert_allclose(codec.decode(codes), decoded, rtol=1e-6)
    assert (codec.sample_shape, codec.latent_shape) == ((6,), (2,))


def test_images_without_channels_get_one_and_lose_it_again():
    module = Convolved().eval()
    codec = TorchCodec(module)
    codes = codec.encode(IMAGES)
    assert codes.shape == (11, 12)
    expected = numpy_of(module.encode(torch.as_tensor(IMAGES[:, None])))
    np.testing.assert_allclose(codes, expected.reshape(11, 12), rtol=1e-5, atol=1e-7)
    assert codec.decode(codes).shape == (11, 8, 8)
    assert codec.latent_shape == (3, 2, 2)


def test_images_with_channels_and_bytes():
    X = np.random.default_rng(0).integers(256, size=(5, 3, 8, 8), dtype=np.uint8)
    codec = TorchCodec(Convolved(3))
    np.testing.assert_allclose(codec.encode(X), codec.encode(X / 255.0), rtol=1e-5, atol=1e-6)
    assert codec.decode(codec.encode(X)).shape == X.shape


def test_training_mode_is_left_as_it_was_and_does_not_count():
    module = Convolved().train()
    module.up.eval()
    modes = [part.training for part in module.modules()]
    statistics = copy.deepcopy(module.down[1].running_mean)
    codec = TorchCodec(module)
    codes = codec.encode(IMAGES)
    np.testing.assert_array_equal(codes, codec.encode(IMAGES))
    np.testing.assert_array_equal(codes, TorchCodec(copy.deepcopy(module).eval()).encode(IMAGES))
    assert [part.training for part in module.modules()] == modes
    assert torch.equal(module.down[1].running_mean, statistics)
    assert all(p.grad is None for p in module.parameters())


def test_modes_are_restored_after_an_error():
    module = Dense().train()
    with pytest.raises(RuntimeError):
        TorchCodec(module).encode(np.zeros((3, 5)))
    assert module.training


def test_batches_change_rounding_only():
    one, many = TorchCodec(Convolved(), batch_size=2), TorchCodec(Convolved())
    np.testing.assert_allclose(one.encode(IMAGES), many.encode(IMAGES), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_any_precision(dtype):
    codec = TorchCodec(Dense().to(dtype))
    codes = codec.encode(VECTORS)
    single = TorchCodec(Dense()).encode(VECTORS)
    np.testing.assert_allclose(codes, single, atol=0.05)
    assert codec.decode(codes).dtype == np.float64
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(TorchCodec(Dense()).encode(VECTORS), single)


def test_devices():
    module = Dense()
    assert TorchCodec(module).module is module
    assert TorchCodec(module, device="cpu").module is module
    assert TorchCodec(module, device=torch.device("cpu")).encode(VECTORS).shape == (11, 2)
    with pytest.raises(ValueError, match="device must"):
        TorchCodec(module, device="nowhere")


def test_the_interface_of_diffusers():
    module = KLAutoencoder()
    codec = TorchCodec(module, value_range=(-1.0, 1.0), batch_size=4)
    X = np.random.default_rng(0).integers(256, size=(6, 3, 16, 16), dtype=np.uint8)
    X[0, 0, 0, :2] = 0, 255
    codes = codec.encode(X)
    assert codec.latent_shape == (4, 4, 4)
    assert module.seen[0] == (-1.0, 1.0)
    given = torch.as_tensor(2.0 * (X / 255.0) - 1.0, dtype=torch.float32)
    latents = module.encode(given).latent_dist.mode()
    np.testing.assert_allclose(codes, numpy_of(latents).reshape(6, 64), rtol=1e-4, atol=1e-6)
    decoded = 0.5 * (numpy_of(module.decode(latents).sample) + 1.0)
    np.testing.assert_allclose(codec.decode(codes), decoded, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["tuple", "list", "normal", "mean", "latents", "array"])
def test_other_things_that_modules_return(kind):
    @dataclass
    class Output:
        latents: Any

    class Mean:
        def __init__(self, mean):
            self.mean = mean

    class Odd(Dense):
        def encode(self, x):
            mean = self.down(x)
            return {
                "tuple": lambda: (mean, torch.zeros_like(mean)),
                "list": lambda: [mean, None],
                "normal": lambda: torch.distributions.Normal(mean, 1.0),
                "mean": lambda: Mean(mean),
                "latents": lambda: Output(mean),
                "array": lambda: mean.numpy(),
            }[kind]()

    expected = TorchCodec(Dense()).encode(VECTORS)
    np.testing.assert_array_equal(TorchCodec(Odd()).encode(VECTORS), expected)


def test_decoding_in_a_new_process():
    codec = TorchCodec(Convolved(), sample_shape=(8, 8), latent_shape=[3, 2, 2])
    codes = np.random.default_rng(0).standard_normal((4, 12))
    assert codec.decode(codes).shape == (4, 8, 8)
    again = pickle.loads(pickle.dumps(codec))
    np.testing.assert_array_equal(again.decode(codes), codec.decode(codes))
    fresh = TorchCodec(Convolved(), latent_shape=(3, 2, 2))
    assert fresh.decode(codes).shape == (4, 1, 8, 8)


def test_modules_are_wrapped_and_nothing_else():
    module, other = Dense(), object()
    assert as_codec(module).module is module
    assert as_codec(other) is other


@pytest.mark.parametrize("kind", [Dense, PCACodec])
def test_classes_in_the_place_of_objects(kind):
    with pytest.raises(TypeError, match=f"autoencoder .* got the class {kind.__name__}: pass"):
        as_codec(kind)


# ---- Refusals ----


def returning(value):
    class Odd(Dense):
        def encode(self, x):
            return value(x)

        decode = encode

    return Odd()


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (lambda x: {"z": x}, TypeError, "encode must return a tensor"),
        (lambda x: None, TypeError, "encode must return a tensor"),
        (lambda x: (), TypeError, "encode must return a tensor"),
        (lambda x: x[:2], ValueError, "encode must return 11 rows"),
        (lambda x: x.sum(), ValueError, "encode must return 11 rows"),
        (lambda x: x / 0.0, ValueError, "encode must return finite"),
    ],
)
def test_what_a_module_must_return(value, error, words):
    with pytest.raises(error, match=f"module.{words}"):
        TorchCodec(returning(value)).encode(VECTORS)


def test_refusals():
    class Half(nn.Module):
        def encode(self, x):
            return x

    for module in (None, Dense, nn.Linear(2, 2), Half()):
        with pytest.raises(TypeError, match="module must"):
            TorchCodec(module)
    for name, value, error in (
        ("batch_size", 0, ValueError),
        ("batch_size", 2.0, TypeError),
        ("value_range", (1.0, 0.0), ValueError),
        ("value_range", 3.0, TypeError),
        ("value_range", (0.0, np.nan), ValueError),
        ("latent_shape", 3, TypeError),
        ("latent_shape", (0,), ValueError),
        ("sample_shape", "ab", TypeError),
    ):
        with pytest.raises(error, match=f"{name} must"):
            TorchCodec(Dense(), **{name: value})
    codec = TorchCodec(Dense())
    with pytest.raises(ValueError, match="latent_shape must be given"):
        codec.decode(np.zeros((3, 2)))
    for X in (VECTORS[:, 0], np.full((3, 6), np.nan), np.zeros((0, 6))):
        with pytest.raises(ValueError, match="X must"):
            codec.encode(X)
    codec.encode(VECTORS)
    with pytest.raises(ValueError, match="X must have shape"):
        codec.encode(VECTORS[:, :5])
    with pytest.raises(ValueError, match="codes must"):
        codec.decode(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="channels first"):
        TorchCodec(Convolved(3)).encode(np.zeros((2, 8, 8, 3)))
    with pytest.raises(ValueError, match="latent_shape must be that of the codes"):
        TorchCodec(Dense(), latent_shape=(5,)).encode(VECTORS)
    with pytest.raises(ValueError, match="decode must return data of shape"):
        TorchCodec(Dense(), latent_shape=(2,), sample_shape=(7,)).decode(np.zeros((1, 2)))
