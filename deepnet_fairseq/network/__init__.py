"""DeepNet: scaling, initialization, residual schemes, attention, layers, model, architectures."""
