"""What the notebooks import: gradients, likelihoods, mixtures of experts, checks and figures."""
