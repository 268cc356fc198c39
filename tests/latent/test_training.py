"""Training: when it stops, its steps, divergence, Ctrl-C."""

from __future__ import annotations

import numpy as np
import pytest
from effort import Interruption, needs_timers
from sklearn.exceptions import NotFittedError

from geomot.errors import ConvergenceError
from geomot.latent import Autoencoder


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def test_training_stops_early(torch):
    # Pure noise: nothing to learn, so the validation error soon stops falling.
    X = np.random.default_rng(0).standard_normal((200, 5))
    codec = Autoencoder(hidden=(64,), epochs=500, patience=5, noise=0, random_state=0).fit(X)
    assert len(codec.history_) < 500
    assert len(codec.history_) == codec.best_epoch_ + 6


def test_default_epochs_of_convolutions():
    # 1600 steps of 64 samples, and ten epochs at least.
    assert Autoencoder()._hyperparameters("conv", 4500).epochs == 23
    assert Autoencoder(batch_size=10)._hyperparameters("conv", 100).epochs == 160
    assert Autoencoder()._hyperparameters("conv", 10**6).epochs == 10
    assert Autoencoder(epochs=3)._hyperparameters("conv", 10**6).epochs == 3
    assert Autoencoder()._hyperparameters("dense", 10**6).epochs == 400


def test_the_step_of_convolutions_falls_to_zero(torch, monkeypatch):
    sizes = []
    step = torch.optim.AdamW.step

    def record(optimizer):
        sizes.append(optimizer.param_groups[0]["lr"])
        return step(optimizer)

    monkeypatch.setattr(torch.optim.AdamW, "step", record)
    X = np.random.default_rng(0).random((40, 8, 8))
    options = {"channels": (2,), "hidden": (), "batch_size": 6, "learning_rate": 0.5}
    Autoencoder(epochs=10, validation_fraction=0.1, **options).fit(X)
    assert len(sizes) == 60
    largest = int(np.argmax(sizes))
    assert largest in (2, 3)
    assert sizes[largest] == pytest.approx(0.5, rel=0.01)
    assert (np.diff(sizes[:largest]) > 0).all()
    assert (np.diff(sizes[largest:]) < 0).all()
    assert 0 < sizes[-1] < 0.001


def test_a_training_that_diverges_says_so(torch):
    X = np.random.default_rng(0).random((100, 4))
    with pytest.raises(ConvergenceError, match=r"autoencoder diverged .* learning_rate=1e\+30"):
        Autoencoder(epochs=3, hidden=(8,), learning_rate=1e30, random_state=0).fit(X)


@needs_timers
def test_interrupts_stop_the_training(torch):
    X = np.random.default_rng(0).random((2000, 20, 20)).astype(np.float32)
    codec = Autoencoder(random_state=0)
    threads = torch.get_num_threads()
    with Interruption(0.5) as interruption:
        codec.fit(X)
    assert interruption.late < 1.5 * threads
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()
    with pytest.raises(NotFittedError):
        codec.encode(X)
