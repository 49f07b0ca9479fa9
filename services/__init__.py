"""The four services and the library that they share; run from a checkout or an image."""
