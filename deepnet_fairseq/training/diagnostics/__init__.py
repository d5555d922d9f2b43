"""How much a model changes while it trains, measured inside fairseq-train; in studies/, compared over many trainings."""
