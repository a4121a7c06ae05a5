"""Speed of the training of both shipped networks, with oneDNN's kernels against TensorFlow's own.

Run with ``python benchmarks/learning.py``. Every figure is measured in a process of its own on one core.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

NETWORKS = ("vit", "unet")
KERNELS = {"1": "with oneDNN", "0": "without"}
STEPS = 12
ONE_CORE = dict.fromkeys(
    ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1"
)


def spectra_per_second(network: str) -> float:
    """Spectra of the robust recipe that the compact network learns from in a second; their simulation not counted."""
    import tensorflow as tf

    from training.core_loss.dataset import make_simulator
    from training.learning.run import Run

    run = Run(network=network)
    model = run.build()
    model.compile(optimizer="adamw", loss="binary_crossentropy")
    block = make_simulator(run.recipe).block((0,), run.batch_size)

    spectra, labels = tf.constant(block.spectra), tf.constant(block.labels, tf.float32)
    for _ in range(2):  # compiles
        model.train_on_batch(spectra, labels)
    start = time.perf_counter()
    for _ in range(STEPS):
        model.train_on_batch(spectra, labels)
    return run.batch_size * STEPS / (time.perf_counter() - start)


def main() -> None:
    """Print spectra per second of each network and the ratios."""
    if len(sys.argv) > 1:
        print(spectra_per_second(sys.argv[1]))
        return
    for network in NETWORKS:
        rates = []
        for setting, title in KERNELS.items():
            environment = os.environ | ONE_CORE | {"TF_ENABLE_ONEDNN_OPTS": setting}
            command = [sys.executable, "-W", "ignore", __file__, network]
            output = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, text=True, env=environment
            ).stdout
            rates.append(float(output.split()[-1]))
            print(f"{network:4} {title:12} {rates[-1]:8.0f} spectra/s")
        print(f"{network:4} ratio        {rates[0] / rates[1]:8.2f}")


if __name__ == "__main__":
    main()
