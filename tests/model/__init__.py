"""A model of nights that did not write the engine, and what is found by playing both.

``styles`` and ``world`` import nothing of Bokit: ten kinds of feed, and the truth of who booked what. ``driver`` is the only
module that knows the engine, by its public face. ``play`` moves both by the same steps and compares them; ``test_nights``
lets Hypothesis choose the steps, and ``mutants`` shows that seeded faults of the engine are found.
"""
