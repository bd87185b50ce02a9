"""Long-running work: output folders that one run owns, atomic writes, and jobs that can be resumed."""
