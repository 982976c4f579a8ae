"""Colours of the report and of the page; what matters differs in shape or dash, too."""

INK, GREY, FAINT = "#1f2328", "#6b7280", "#d5d9de"
LEARNED, MODEL, ALARM = "#c2410c", "#0f766e", "#be123c"
