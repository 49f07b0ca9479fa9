"""What workers have, what jobs take of them, and which job may be taken where."""
