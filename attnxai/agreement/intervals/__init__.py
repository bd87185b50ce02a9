"""How sure a mean is: over sources, annotators and seeds."""
