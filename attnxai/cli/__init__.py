"""The command line: one module per command."""

import os

# Before NumPy is imported: the last digits of sums depend on the number of threads of its products, and threads that
# wait for each other take twice the processor time.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
