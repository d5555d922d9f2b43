"""Many short trainings that differ in depth, residual scheme, seed or a few flags: run, judged, put into tables and figures."""
