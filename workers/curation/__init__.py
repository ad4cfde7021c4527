"""Curation: raw documents -> a clean, deduplicated, tokenized, versioned dataset."""
