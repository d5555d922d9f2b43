"""Studies of the paper's claims: many short trainings, summarized in tables and figures."""
