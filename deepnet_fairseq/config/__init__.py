"""A YAML file read, checked, and turned into fairseq's commands."""
