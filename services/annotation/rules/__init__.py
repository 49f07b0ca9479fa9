"""Pre-annotation by rules: dictionaries, regular expressions and token patterns.

`domain` says what a rule set is, `documents` how it is stored, `compiled.compile_rules` checks one
and makes it run. Nothing here knows of projects, storage or transport.
"""
