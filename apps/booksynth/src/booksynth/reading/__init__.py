"""Books of every kind, read to their paragraphs."""
