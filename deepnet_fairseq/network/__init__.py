"""What DeepNet is: scaling, initialisation, residual connections, attention, layers, model, named architectures."""
