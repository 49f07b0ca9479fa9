"""spaCy's training data: JSON of version 2, tuples, and DocBin of version 3."""
