"""What scripts/*.sh run, one module each. Only these know the recipe."""
