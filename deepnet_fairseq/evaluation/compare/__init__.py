"""Several systems on the same test sets: scores, differences, and their significance."""
