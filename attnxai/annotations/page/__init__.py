"""The page on which annotators mark images: one HTML file that works offline in any browser."""
