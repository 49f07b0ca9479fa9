"""Training and deploying without a hand on it: settings, groups, active learning, the gate."""
