"""Long work: output that one run claims, that is written whole, and that a later run goes on with."""
