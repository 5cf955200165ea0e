"""Output formats: JSON, CSV, HTML pages, plots and annotated videos."""
