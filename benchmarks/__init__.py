"""What is timed, always against a baseline in the same run: ratios, not times."""
