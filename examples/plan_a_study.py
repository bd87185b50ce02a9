"""
How many sources
================

The power of a comparison by the number of sources and annotators, before anything is annotated.

Without a pilot study, simulated galaxies stand for it: here one whose maps follow their own source with 5 % of their
variance.
"""

import attnxai

components, _ = attnxai.planning.simulate_components(0.05)
plan = attnxai.planning.plan_power(
    components, n_sources=(8, 10, 15, 20, 30, 40), n_annotators=(1, 3), n_maps=4
)
plan.plot()

# %%
# The power, and half the width of the 95 % interval of the agreement in units of NSS:

columns = ["n_sources", "n_annotators", "power", "half_width"]
print(plan.to_frame()[columns].round(2).to_string(index=False))
