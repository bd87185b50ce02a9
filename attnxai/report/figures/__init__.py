"""The figures of a report, each as PNG and PDF."""
