"""Two or more systems side by side on the same test sets: scores, differences, and whether chance explains them."""
