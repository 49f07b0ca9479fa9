"""How far annotators agree: span F1, Cohen's and Fleiss' kappa, Krippendorff's alpha.

`report.agreement_report` computes everything from `domain.Item` values; `kappas` holds the
chance-corrected coefficients, `span_f1` the pairwise F1, `units` what is counted for which.
Nothing here knows of projects, storage or transport.
"""
