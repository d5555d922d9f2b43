"""Puts this folder on the path of the rooms below it, for sample_reports."""
