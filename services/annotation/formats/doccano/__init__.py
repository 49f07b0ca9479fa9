"""JSON and JSON lines of doccano: sequence labelling, relations, classes, intents."""
