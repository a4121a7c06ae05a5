import numpy as np
from known_images import AMOUNTS, make_image, with_parameters


def fractions_of(counts, seed=0, shape=(4, 5)):
    signal, truth = make_image(AMOUNTS, shape, counts=counts, seed=seed)
    # the cross sections have no fine structure
    model = with_parameters(signal).auto_model(elements=list(AMOUNTS), fine_structure=None)
    total = {element: amount.sum() for element, amount in truth.items()}
    return model.total_composition(), {e: n / sum(total.values()) for e, n in total.items()}


def test_the_composition_of_all_pixels():
    total, truth = fractions_of(1e5)
    assert list(total) == list(AMOUNTS)
    assert abs(sum(part.value for part in total.values()) - 1) < 1e-12
    for element, part in total.items():
        assert abs(part.value - truth[element]) < 0.01


def test_errors_are_those_of_the_noise():
    pulls = []
    for seed in range(6):
        total, truth = fractions_of(300.0, seed, (2, 3))
        pulls += [(part.value - truth[e]) / part.error for e, part in total.items()]
    assert 0.5 < np.std(pulls) < 1.8


def test_one_element_is_all():
    signal, _ = make_image({"Fe": 3.0}, (2, 2), counts=1e4)
    (part,) = with_parameters(signal).auto_model(elements=["Fe"]).total_composition().values()
    assert part.value == 1 and part.error < 1e-9
