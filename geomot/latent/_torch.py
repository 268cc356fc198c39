"""How geomot's networks use torch: imported late, with few threads, and without a trace.

Everything random comes from generators of our own; the settings of torch that bear on results are
set for the time of a call and put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from geomot._search.torch_backend import TorchBackend
from geomot._validation import as_threads, check_single

__all__ = ["apply", "as_device", "as_tensor", "import_torch", "rows_at_once", "settings"]

# Rows, and numbers in their data, that pass through a network at once outside training: they bound
# the memory and the time to an interrupt, not the result.
_ROWS_AT_ONCE = 16384
_NUMBERS_AT_ONCE = 2**20


def import_torch(user: str, hint: str = "") -> ModuleType:
    """Return the module torch.

    Parameters
    ----------
    user : str
        The class of geomot that needs it, such as "latent.Autoencoder", for the message.
    hint : str
        What else may help, at the end of the message.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f'geomot.{user} needs PyTorch: pip install "geomot[torch]"{hint}'
        ) from error
    return torch


def as_device(torch: ModuleType, device: Any) -> Any:
    """Return a device of torch, after a first tensor has been made there.

    Parameters
    ----------
    torch : module
        The module torch.
    device : str, torch.device or None
        The device; None: the CPU.

    Returns
    -------
    torch.device

    Raises
    ------
    TypeError
        If `device` is neither a string nor a device.
    ValueError
        If torch cannot use it here.
    """
    if device is None:
        return torch.device("cpu")
    # The backend of the solver makes the same check, and takes names only.
    return TorchBackend(str(device) if isinstance(device, torch.device) else device).device


@contextmanager
def settings(torch: ModuleType, threads: Any, *, training: bool = False) -> Iterator[None]:
    """Set for a while what bears on results: threads, gradients, precision, deterministic kernels.

    Parameters
    ----------
    torch : module
        The module torch.
    threads : int or None
        Threads that torch may use on the CPU; None for all cores that the process may use.
    training : bool, default False
        Whether gradients are needed.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(as_threads(threads))
    try:
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad() if training else torch.no_grad())
            stack.enter_context(torch.autocast("cpu", enabled=False))
            if torch.cuda.is_available():
                stack.enter_context(torch.autocast("cuda", enabled=False))
                stack.enter_context(
                    torch.backends.cudnn.flags(deterministic=True, allow_tf32=False)
                )
            yield
    finally:
        torch.set_num_threads(before)


def rows_at_once(size: int) -> int:
    """How many samples of this many numbers are worked on at once."""
    return max(1, min(_ROWS_AT_ONCE, _NUMBERS_AT_ONCE // size))


def apply(
    torch: ModuleType, network: Any, inputs: np.ndarray, threads: Any, name: str
) -> np.ndarray:
    """Pass one chunk of inputs through a network.

    Parameters
    ----------
    torch : module
        The module torch.
    network : torch.nn.Module
        The network, in its mode for evaluation.
    inputs : ndarray
        What it takes; converted to float32.
    threads : int or None
        Threads that torch may use.
    name : str
        The argument that the inputs come from, for a message.

    Returns
    -------
    ndarray, float64
    """
    device = next(network.parameters()).device
    with settings(torch, threads):
        check_single(inputs, name)
        outputs = network(as_tensor(torch, inputs, device))
        return outputs.cpu().numpy().astype(np.float64)


def as_tensor(torch: ModuleType, array: np.ndarray, device: Any) -> Any:
    """Copy numbers to a device, in float32.

    Parameters
    ----------
    torch : module
        The module torch.
    array : ndarray
        The numbers.
    device : torch.device
        Where they go.

    Returns
    -------
    torch.Tensor of the same shape
    """
    # Converted by numpy first: torch warns of arrays that are read-only.
    return torch.from_numpy(np.array(array, np.float32)).to(device)
