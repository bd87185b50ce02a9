"""How well maps agree with annotations, and how sure that is."""
