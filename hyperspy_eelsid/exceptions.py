"""Everything that hyperspy_eelsid raises on purpose, under one base."""


class EelsidError(Exception):
    """Base of all errors of hyperspy_eelsid."""


class SignalTypeError(EelsidError, TypeError):
    """The signal is not an EELS signal."""


class EnergyAxisError(EelsidError, ValueError):
    """The energy axis cannot be used for what was asked."""


class InvalidSpectraError(EelsidError, ValueError):
    """There is no spectrum with finite, positive counts."""


class ThicknessError(EelsidError, ValueError):
    """The specimen is too thick for what was asked."""


class UnknownElementError(EelsidError, ValueError):
    """An element that is not one of the 80, or that has no edge where one is needed."""


class MissingParametersError(EelsidError, ValueError):
    """Microscope parameters that are neither in the metadata nor in the call."""


class UnusableFileError(EelsidError, ValueError):
    """A file that cannot be opened, or would run code."""


class NoSpectrumError(UnusableFileError):
    """A file without an EELS signal."""


class ArgumentError(EelsidError, ValueError):
    """An argument that is not of the kind, or not in the range, that it has to be."""


class UnknownLabelError(EelsidError, KeyError):
    """A result has nothing of this name."""

    def __str__(self) -> str:
        return str(
            self.args[0]
        )  # as KeyErrors show it, in quotation marks, a sentence is no sentence


class PixelError(EelsidError, IndexError):
    """There is no such pixel."""


class ChunksError(EelsidError, MemoryError):
    """The chunks of a lazy image need more memory than is sensible."""


class DeviceError(EelsidError, RuntimeError):
    """The networks cannot run on the device that was asked for."""


class InstallationError(EelsidError, RuntimeError):
    """A data file of the package is missing or damaged."""


class WeightsError(EelsidError, RuntimeError):
    """The networks are missing or not those that their card describes."""


class ZeroLossError(EelsidError, ValueError):
    """There is no zero-loss peak that can be modelled, or not by what was asked for."""


class ExtrapolationError(ZeroLossError):
    """What was asked for lies too far beyond the range in which there is zero loss alone."""
