"""How often tests reject and intervals cover where the truth is known, because it was simulated."""
