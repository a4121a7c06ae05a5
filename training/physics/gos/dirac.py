"""The radial Dirac equation in a central potential, bound and in the continuum; atomic units.

With the large and the small component P and Q (W. R. Johnson, Atomic Structure Theory, Springer 2007, eqs. 2.127
and 2.128; energy counted from the rest energy):

    dP/dr = -kappa / r P + (2 c + (E - V) / c) Q
    dQ/dr =  kappa / r Q - (E - V) / c P
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from scipy import constants
from scipy.special import lambertw

SPEED_OF_LIGHT = 1 / constants.fine_structure
HARTREE_EV = constants.value("Hartree energy in eV")

_SCALE_ABOVE = 1e100
_DECAY_LENGTHS = 38.0


class Grid:
    """Radial grid, logarithmic at the nucleus and linear far out: t = ln r + r / `bend` is evenly spaced.

    Every second point is a midpoint of the Runge-Kutta steps; functions are known on the others.

    Parameters
    ----------
    atomic_number
        Sets the smallest radius.
    step
        Step in t between the points on which functions are known.
    bend
        Radius [bohr] around which the grid changes; far out the spacing is ``step * bend``.
    largest
        Largest radius [bohr].
    """

    def __init__(
        self, atomic_number: int, step: float = 0.012, bend: float = 1.6, largest: float = 90.0
    ) -> None:
        smallest = 1e-6 / atomic_number
        t = np.arange(math.log(smallest), math.log(largest) + largest / bend, step / 2)
        if len(t) % 2 == 0:
            t = t[:-1]
        self.fine_r = bend * lambertw(np.exp(t) / bend).real
        self.fine_slope = self.fine_r / (1 + self.fine_r / bend)  # dr/dt
        self.step = step
        self.r = self.fine_r[::2]
        self.weight = self.fine_slope[::2] * step  # integration weights of the trapezoidal rule

    def cumulative(self, function: np.ndarray) -> np.ndarray:
        """Integral of `function` from the nucleus to every point."""
        product = function * self.weight
        result = np.cumsum(product) - product / 2
        return result - result[0]


@njit(cache=True)
def angular_momentum(kappa: int) -> int:
    """Orbital angular momentum l of the relativistic quantum number kappa."""
    return kappa if kappa > 0 else -kappa - 1


@njit(cache=True)
def _slopes(energy, potential, radius, slope, kappa, p, q):
    momentum = (energy - potential) / SPEED_OF_LIGHT
    dp = slope * (-kappa / radius * p + (2 * SPEED_OF_LIGHT + momentum) * q)
    dq = slope * (kappa / radius * q - momentum * p)
    return dp, dq


@njit(cache=True)
def _runge_kutta(energy, v, r, slope, kappa, i, h, p, q):
    """One step of length `h` (two fine points, towards larger or smaller r) from fine point `i`."""
    d = 1 if h > 0 else -1
    p1, q1 = _slopes(energy, v[i], r[i], slope[i], kappa, p, q)
    m = i + d
    p2, q2 = _slopes(energy, v[m], r[m], slope[m], kappa, p + h / 2 * p1, q + h / 2 * q1)
    p3, q3 = _slopes(energy, v[m], r[m], slope[m], kappa, p + h / 2 * p2, q + h / 2 * q2)
    e = i + 2 * d
    p4, q4 = _slopes(energy, v[e], r[e], slope[e], kappa, p + h * p3, q + h * q3)
    return p + h / 6 * (p1 + 2 * p2 + 2 * p3 + p4), q + h / 6 * (q1 + 2 * q2 + 2 * q3 + q4)


@njit(cache=True)
def outward(energy, v, r, slope, h, kappa, charge, last, p, q):
    """Integrate from the nucleus to point `last`; returns the number of nodes of P.

    Starts with the power r^gamma of a point nucleus (Johnson 2007, eq. 2.151).
    """
    gamma = math.sqrt(kappa * kappa - (charge / SPEED_OF_LIGHT) ** 2)
    if kappa < 0:
        ratio = -charge / SPEED_OF_LIGHT / (gamma - kappa)
    else:
        ratio = (kappa + gamma) * SPEED_OF_LIGHT / charge
    p[0], q[0] = 1e-20, 1e-20 * ratio
    nodes = 0
    for i in range(last):
        p[i + 1], q[i + 1] = _runge_kutta(energy, v, r, slope, kappa, 2 * i, h, p[i], q[i])
        if p[i + 1] * p[i] < 0:
            nodes += 1
        if abs(p[i + 1]) > _SCALE_ABOVE:
            p[: i + 2] /= _SCALE_ABOVE
            q[: i + 2] /= _SCALE_ABOVE
    return nodes


@njit(cache=True)
def bound(energy, v, r, slope, h, principal, kappa, charge):
    """Energy and normalised components of a bound orbital.

    The energy is bracketed by the number of nodes and refined by the jump of Q where the outward and the inward
    solution meet (Johnson 2007, section 2.6.3).
    """
    n = (len(r) + 1) // 2
    l = angular_momentum(kappa)
    p, q = np.zeros(n), np.zeros(n)
    wanted = principal - l - 1
    low, high = -0.6 * charge * charge - 10, -1e-4
    energy = min(max(energy, low / 2), high * 2)
    for _ in range(300):
        turning = -1
        for i in range(n - 1, 10, -1):
            if energy > v[2 * i] + l * (l + 1) / (2 * r[2 * i] ** 2):
                turning = i
                break
        if turning < 20:
            low, energy = energy, (energy + high) / 2
            continue
        turning = min(turning, n - 40)
        far, decay = n - 1, 0.0
        for i in range(turning, n - 1):
            barrier = v[2 * i] + l * (l + 1) / (2 * r[2 * i] ** 2) - energy
            decay += math.sqrt(max(2 * barrier, 0)) * (r[2 * i + 2] - r[2 * i])
            if decay > _DECAY_LENGTHS:
                far = i
                break
        nodes = outward(energy, v, r, slope, h, kappa, charge, turning, p, q)
        if nodes > wanted:
            high, energy = energy, (energy + low) / 2
            continue
        if nodes < wanted:
            low, energy = energy, (energy + high) / 2
            continue
        p_out, q_out = p[turning], q[turning]
        decay = math.sqrt(max(-energy * (2 + energy / SPEED_OF_LIGHT**2), 1e-8))
        p[far] = 1e-25
        q[far] = -decay / (2 * SPEED_OF_LIGHT) * p[far]
        for i in range(far, turning, -1):
            p[i - 1], q[i - 1] = _runge_kutta(energy, v, r, slope, kappa, 2 * i, -h, p[i], q[i])
        ratio = p_out / p[turning]
        for i in range(turning, far + 1):
            p[i] *= ratio
            q[i] *= ratio
        p[far + 1 :] = 0
        q[far + 1 :] = 0
        norm = 0.0
        for i in range(far + 1):
            norm += (p[i] * p[i] + q[i] * q[i]) * slope[2 * i] * h
        change = SPEED_OF_LIGHT * p_out * (q_out - q[turning]) / norm
        if change > 0:
            low = max(low, energy)
        else:
            high = min(high, energy)
        energy += change
        # before the bracket is looked at, which a change below rounding does not leave
        if abs(change) < 1e-9 * max(1.0, abs(energy)):
            break
        if not low < energy < high:
            energy = (low + high) / 2
    return energy, p / math.sqrt(norm), q / math.sqrt(norm)


@njit(cache=True)
def continuum(energy, v, r, slope, h, kappa, charge, last, p, q):
    """Continuum orbital up to point `last`, normalised per unit energy; False if it cannot reach there.

    The amplitude is that of the WKB solution in the Coulomb tail -1/r, with the first correction to the local
    momentum, P ~ sqrt(2 (1 + E / 2c^2) / (pi w)) sin(...) (Johnson 2007, section 2.4; Seaton, Rep. Prog. Phys. 46,
    167, 1983, eq. 2.30 for the amplitude equation).
    """
    x = r[2 * last]
    local = energy + 1 / x
    c2 = SPEED_OF_LIGHT**2
    k2 = 2 * local * (1 + local / (2 * c2)) - kappa * (kappa + 1) / x**2
    if k2 <= 0:
        return False
    k = math.sqrt(k2)
    dk2 = -2 / x**2 * (1 + local / c2) + 2 * kappa * (kappa + 1) / x**3
    d2k2 = 4 / x**3 - 6 * kappa * (kappa + 1) / x**4
    dk = dk2 / (2 * k)
    d2k = d2k2 / (2 * k) - dk2**2 / (4 * k**3)
    if abs(dk) / k2 > 0.4:
        return False
    w2 = k2 - d2k / (2 * k) + 0.75 * (dk / k) ** 2
    w = math.sqrt(w2) if w2 > 0 else k
    outward(energy, v, r, slope, h, kappa, charge, last, p, q)
    derivative, _ = _slopes(energy, v[2 * last], x, 1.0, kappa, p[last], q[last])
    amplitude2 = w * p[last] ** 2 + (derivative + dk / (2 * w) * p[last]) ** 2 / w
    factor = math.sqrt(2 / math.pi * (1 + energy / (2 * c2)) / amplitude2)
    for i in range(last + 1):
        p[i] *= factor
        q[i] *= factor
    return True
