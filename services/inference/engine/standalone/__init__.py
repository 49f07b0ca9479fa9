"""The programs that exports carry, one for each type of model; the server runs them too."""
