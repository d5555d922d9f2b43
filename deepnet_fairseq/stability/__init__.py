"""How much a model changes while it trains: measured inside fairseq-train, compared over depths and residual schemes, and drawn."""
